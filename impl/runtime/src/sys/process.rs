//! Signals by number, and a user namespace.

use super::clone::last_error;
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd};

/// Sends a signal, by its number: real-time ones, too.
///
/// # Errors
/// `ESRCH` when the process is gone; `EINVAL` for a number that is no signal.
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: no siginfo is given; the kernel touches no memory of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// Moves this process, which must have one thread, into a new user namespace.
pub(crate) fn new_user_namespace() -> Result<(), Errno> {
    // SAFETY: CLONE_NEWUSER alone changes credentials, not descriptor tables or address spaces.
    let result = unsafe { libc::unshare(libc::CLONE_NEWUSER) };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}
