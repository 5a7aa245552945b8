//! Becoming another program.

use super::clone::last_error;
use rustix::io::Errno;
use std::ffi::{CString, c_char};

/// A program with its arguments and environment, ready to be run.
pub(crate) struct Program {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// `None` when one of them holds a zero byte.
    pub(crate) fn new<'a>(
        path: &str,
        arguments: impl IntoIterator<Item = &'a str>,
        environment: impl IntoIterator<Item = &'a str>,
    ) -> Option<Self> {
        let strings = |texts: &mut dyn Iterator<Item = &'a str>| -> Option<Vec<CString>> {
            texts.map(|text| CString::new(text).ok()).collect()
        };
        Some(Self {
            path: CString::new(path).ok()?,
            arguments: strings(&mut arguments.into_iter())?,
            environment: strings(&mut environment.into_iter())?,
        })
    }

    /// Runs it in this process. Returns only to tell why not.
    pub(crate) fn run(&self) -> Errno {
        let pointers = |texts: &[CString]| -> Vec<*const c_char> {
            texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
        };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: both arrays end with a null pointer; all other pointers in them, and the path, are to strings that
        // end with a zero byte and that `self` keeps alive over the call.
        unsafe { libc::execve(self.path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        last_error()
    }
}

/// Signals as a new program expects them: none blocked, none ignored. Rust's start-up code ignores SIGPIPE, whoever
/// spawned us may have ignored others (C libraries leave their internal ones so), and an exec would pass that on.
pub(crate) fn reset_signals() -> Result<(), Errno> {
    for signal in 1..=KERNEL_SIGNALS {
        let default = KernelSigaction::default();
        // SAFETY: `default` is a live kernel sigaction of the set size given; SIG_DFL is no handler function. The
        // library's own wrapper would refuse its internal signals. SIGKILL and SIGSTOP answer an error, rightly.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                std::ptr::null_mut::<KernelSigaction>(),
                size_of::<u64>(),
            )
        };
    }
    // SAFETY: an all-zero sigset_t is a valid value, which sigemptyset then sets.
    let result = unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

const KERNEL_SIGNALS: libc::c_int = 64;

/// The kernel's `struct sigaction`: all zeros are SIG_DFL without flags, on every architecture; the order of the fields
/// behind the first does not matter then.
#[repr(C)]
#[derive(Default)]
struct KernelSigaction {
    handler: u64,
    rest: [u64; 3],
}

/// Ends this process on the spot: no destructor, no exit handler. For a child that is a copy of another process,
/// whose exit handlers are not its own.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Keeps what this process inherited beyond stdin, stdout and stderr from the programs that it and its children run.
/// Whoever spawned us may have been careless, and a container must not have a way to the host.
///
/// # Errors
/// What the kernel says.
pub fn keep_descriptors() -> std::io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: sets a flag of descriptors, which stay open and whose owners need not know.
    let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Closes this process and its children, until they run another program, to inspection: a process inside a container
/// that an exec is just joining can otherwise reach the host through `/proc/PID/fd` or `ptrace`.
///
/// # Errors
/// What the kernel says.
pub fn set_undumpable() -> std::io::Result<()> {
    // SAFETY: PR_SET_DUMPABLE takes one number and touches no memory.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
