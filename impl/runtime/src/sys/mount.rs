//! Attributes of a mount.

use super::clone::last_error;
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};

/// The kernel's `struct mount_attr` (5.12).
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

const MOUNT_ATTR_RDONLY: u64 = 1;

/// Makes a mount read-only, with all other flags as they are. `mount` is its root: a detached one's descriptor, or one
/// opened through it.
pub(crate) fn set_read_only(mount: impl AsFd, recursive: bool) -> Result<(), Errno> {
    let attributes = MountAttr { attr_set: MOUNT_ATTR_RDONLY, ..MountAttr::default() };
    let path: &CStr = c"";
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a string that ends with a zero byte, `attributes` a live `mount_attr` of the size given;
    // the kernel reads both and keeps neither.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}
