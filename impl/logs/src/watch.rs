//! Waiting for a log to grow.

use crate::{Error, LogConfig};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Wakes its owner when a log file has grown. The kernel tells it (inotify), so it needs nothing of the writer, which
/// may belong to an earlier life of the daemon.
///
/// Make it before reading to the end: then no write falls between. Its descriptor becomes readable on a write;
/// [`Self::drain`] makes it unreadable again. It never blocks, so it fits a poll loop or an async reactor.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    path: PathBuf,
}

impl Watch {
    /// Watches a container's log file. One that is gone does not grow: then nobody is woken.
    ///
    /// # Errors
    /// `File` where the kernel's limit of watches is reached.
    pub fn new(config: &LogConfig) -> Result<Self, Error> {
        let fail = |errno: rustix::io::Errno| Error::File { path: config.path.clone(), source: errno.into() };
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(fail)?;
        match inotify::add_watch(&inotify, &config.path, WatchFlags::MODIFY) {
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(fail(errno)),
        }
        Ok(Self { inotify, path: config.path.clone() })
    }

    /// Forgets the writes until now. Then read to the end before waiting again.
    ///
    /// # Errors
    /// `File`.
    pub fn drain(&self) -> Result<(), Error> {
        // Equal events in a row are one, so this is seldom more than one read.
        let mut events = [0; 1024];
        loop {
            match rustix::io::read(&self.inotify, &mut events) {
                Ok(0) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::File { path: self.path.clone(), source: io::Error::from(errno) }),
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
