//! A process's stdin, stdout and stderr, and the ends that the shim keeps.

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the process gets.
#[derive(Debug)]
pub struct ProcessEnds {
    stdin: OwnedFd,
    /// Stdout and stderr; `None`: all three are the terminal at `stdin`.
    output: Option<(OwnedFd, OwnedFd)>,
}

/// What the shim keeps. All of it is non-blocking.
#[derive(Debug)]
pub enum ShimEnds {
    /// Three pipes; without stdin the process has `/dev/null`.
    #[allow(missing_docs)]
    Pipes { stdin: Option<OwnedFd>, stdout: OwnedFd, stderr: OwnedFd },
    /// A terminal. As long as `slave` is open, a process that closes all of its own (as an init does that opens
    /// `/dev/console` anew for each line) does not look like the end of the output.
    #[allow(missing_docs)]
    Terminal { master: OwnedFd, slave: OwnedFd },
}

/// Pipes for a process without a terminal.
///
/// # Errors
/// What the kernel says.
pub fn pipes(stdin: bool) -> Result<(ProcessEnds, ShimEnds), Errno> {
    let (input, stdin) = if stdin {
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC)?;
        set_nonblocking(&ours)?;
        (theirs, Some(ours))
    } else {
        (rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?, None)
    };
    let (stdout, their_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    set_nonblocking(&stdout)?;
    set_nonblocking(&stderr)?;
    let process = ProcessEnds { stdin: input, output: Some((their_stdout, their_stderr)) };
    Ok((process, ShimEnds::Pipes { stdin, stdout, stderr }))
}

/// A terminal of the host's, root's alone (recordings `inside/tty`).
///
/// # Errors
/// What the kernel says.
pub fn terminal() -> Result<(ProcessEnds, ShimEnds), Errno> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    rustix::fs::fchmod(&slave, Mode::RUSR | Mode::WUSR)?;
    match rustix::fs::fchown(&slave, Some(Uid::ROOT), Some(Gid::ROOT)) {
        // Without root's powers the host's group of terminals cannot be changed.
        Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
        Err(errno) => return Err(errno),
    }
    set_nonblocking(&master)?;
    let copy = rustix::io::fcntl_dupfd_cloexec(&slave, 0)?;
    Ok((ProcessEnds { stdin: slave, output: None }, ShimEnds::Terminal { master, slave: copy }))
}

/// Sets a terminal's window; the kernel tells its foreground processes.
///
/// # Errors
/// What the kernel says.
pub fn resize(master: impl AsFd, rows: u16, columns: u16) -> Result<(), Errno> {
    tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
}

impl ProcessEnds {
    /// The terminal, if it is one.
    pub(crate) fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.output.is_none().then(|| self.stdin.as_fd())
    }

    /// Makes them this process's own.
    pub(crate) fn take(&self) -> Result<(), Errno> {
        let (stdout, stderr) = self.output.as_ref().map_or((&self.stdin, &self.stdin), |(out, err)| (out, err));
        rustix::stdio::dup2_stdin(&self.stdin)?;
        rustix::stdio::dup2_stdout(stdout)?;
        rustix::stdio::dup2_stderr(stderr)
    }
}

fn set_nonblocking(end: impl AsFd) -> Result<(), Errno> {
    let flags = rustix::fs::fcntl_getfl(&end)?;
    rustix::fs::fcntl_setfl(end, flags | OFlags::NONBLOCK)
}
