//! Ids and capabilities.

use crate::step::Step;
use crate::user::User;
use drydock_shim_protocol::{Capabilities, Failure};
use rustix::io::Errno;
use rustix::thread::{self, CapabilitySet, CapabilitySets, Gid, Uid};

/// Highest capability that the kernel could know; it says `EINVAL` to those that it does not.
const BITS: u32 = 63;

/// Those of `asked` that this process itself lacks, so that nobody in a container can have them.
///
/// # Errors
/// What the kernel says.
pub fn capabilities_withheld(asked: &Capabilities) -> Result<u64, Errno> {
    Ok(asked.set & !thread::capabilities(None)?.permitted.bits())
}

/// Makes this process one of `user` with `capabilities` and no more, now and after any exec.
pub(crate) fn take(user: &User, capabilities: &Capabilities) -> Result<(), Failure> {
    let ours = thread::capabilities(None).step("capabilities", "reading")?.permitted.bits();
    drop_bounding(capabilities.set | capabilities.left_in_bounding)?;
    thread::set_keep_capabilities(true).step("capabilities", "keeping")?;
    take_ids(user)?;
    let set = CapabilitySet::from_bits_retain(capabilities.set & ours);
    let sets = CapabilitySets { effective: set, permitted: set, inheritable: set };
    thread::set_capabilities(None, sets).step("capabilities", "setting")?;
    thread::set_keep_capabilities(false).step("capabilities", "no longer keeping")
}

fn drop_bounding(keep: u64) -> Result<(), Failure> {
    for bit in (0..BITS).filter(|bit| keep & (1 << bit) == 0) {
        match thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno).step("capabilities", format_args!("bounding set, {bit}")),
        }
    }
    Ok(())
}

fn take_ids(user: &User) -> Result<(), Failure> {
    let groups: Vec<Gid> = user.supplementary.iter().map(|gid| Gid::from_raw(*gid)).collect();
    match thread::set_thread_groups(&groups) {
        // A user namespace of one id allows no groups, and this process has none to lose in it.
        Err(Errno::PERM) if groups.is_empty() => {}
        result => result.step("groups", format_args!("{:?}", user.supplementary))?,
    }
    let (gid, uid) = (Gid::from_raw(user.gid), Uid::from_raw(user.uid));
    thread::set_thread_res_gid(gid, gid, gid).step("gid", user.gid)?;
    thread::set_thread_res_uid(uid, uid, uid).step("uid", user.uid)
}
