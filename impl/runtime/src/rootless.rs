//! Without root: a user namespace in which this process is root, with one id.

use crate::step::Step;
use crate::sys;
use drydock_shim_protocol::Failure;
use rustix::process::{getegid, geteuid};
use std::fs;

/// Whether this process is root, of the machine or of a user namespace that somebody made for it.
#[must_use]
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Whether this process is in a user namespace that somebody made, where some of root's powers are missing.
pub(crate) fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// Moves this process, which has one thread, into a user namespace where its user is root. No other id exists there:
/// no other user can run, no device node be made, no cgroup be used that was not given to this user.
///
/// # Errors
/// When the machine lets users have no user namespaces; the failure names the step.
pub fn become_root() -> Result<(), Failure> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    sys::new_user_namespace().step("user namespace", "making one; the machine may forbid it to users")?;
    fs::write("/proc/self/setgroups", "deny").step("user namespace", "setgroups")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).step("user namespace", "uid_map")?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).step("user namespace", "gid_map")
}
