//! Making a process.

use super::exec::exit_now;
use super::process::send_signal;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

/// A child that was just made.
#[derive(Debug)]
pub struct Child {
    /// As the caller's pid namespace numbers it.
    pub pid: Pid,
    /// Readable when the child has exited.
    pub pidfd: OwnedFd,
}

impl Child {
    /// Kills it and waits for its end, so that not even a zombie is left.
    pub fn end(self) {
        let _ = send_signal(&self.pidfd, libc::SIGKILL); // It has ended by itself.
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED); // Somebody waited before.
    }
}

/// The kernel's `struct clone_args`, as of 5.5 and later (88 bytes with `cgroup`).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Makes a process in new namespaces (`CLONE_NEW…` of `namespaces`) that runs `child`, then ends.
///
/// The caller must have one thread: the child goes on in a copy of its memory, where another thread's locks would
/// stay locked for ever. This is checked.
///
/// # Errors
/// What the kernel says; `EBUSY` for a caller with several threads.
pub(crate) fn clone_process(namespaces: u64, child: impl FnOnce()) -> Result<Child, Errno> {
    if !single_threaded() {
        return Err(Errno::BUSY);
    }
    let mut pidfd: libc::c_int = -1;
    let args = CloneArgs {
        flags: namespaces | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    // SAFETY: `args` is a live `clone_args` of the size given. Without CLONE_VM and with no stack given the child
    // returns here in its own copy of our memory. We have one thread (checked above), so no lock in that copy, the
    // allocator's included, is held by a thread that does not exist in it. libc's cached thread id is stale in the
    // child; only robust mutexes and raise() look at it, and the child uses neither.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match pid {
        -1 => Err(last_error()),
        0 => {
            child();
            exit_now(127)
        }
        pid => {
            // SAFETY: the kernel put a new descriptor into `pidfd`, which nobody else knows.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            let pid = Pid::from_raw(pid as i32).ok_or(Errno::INVAL)?;
            Ok(Child { pid, pidfd })
        }
    }
}

fn single_threaded() -> bool {
    // The link count of the directory is threads + 2.
    rustix::fs::stat("/proc/self/task").is_ok_and(|stat| stat.st_nlink == 3)
}

pub(super) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
