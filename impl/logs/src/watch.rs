//! Waiting for a log to grow.

use crate::{Error, LogConfig};
use std::os::fd::{AsFd, BorrowedFd};

/// Wakes its owner when a log file has grown. The kernel tells it (inotify), so it needs nothing of the writer, which
/// may belong to an earlier life of the daemon.
///
/// Make it before reading to the end: then no write falls between. Its descriptor becomes readable on a write; [`Self::drain`] makes it
/// unreadable again. It never blocks, so it fits a poll loop or an async reactor.
#[derive(Debug)]
pub struct Watch(rustix::fd::OwnedFd);

impl Watch {
    /// Watches a container's log file.
    ///
    /// # Errors
    /// `File` where there is none, or the kernel's limit of watches is reached.
    pub fn new(config: &LogConfig) -> Result<Self, Error> {
        let _ = config;
        todo!()
    }

    /// Forgets the writes until now. Then read to the end before waiting again.
    ///
    /// # Errors
    /// `File`.
    pub fn drain(&self) -> Result<(), Error> {
        todo!()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
