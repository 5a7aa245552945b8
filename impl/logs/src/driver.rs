//! What a log driver is.

use crate::{Error, LogConfig, Query, Reader, journald::Journald, json_file::JsonFile, none::Nowhere, syslog::Syslog};
use drydock_core::Timestamp;
use std::os::fd::BorrowedFd;

/// A log driver: one file and one line in the registry below. Its tests begin with `log_driver_suite!`, which every
/// driver passes.
pub trait Driver: Sync {
    /// As in `LogConfig.Type`.
    fn name(&self) -> &'static str;

    /// See [`crate::prepare`].
    ///
    /// # Errors
    /// What is wrong with the configuration.
    fn prepare(&self, config: LogConfig) -> Result<LogConfig, Error> {
        Ok(config)
    }

    /// Begins to write; what an earlier run of the container wrote stays.
    ///
    /// # Errors
    /// When the file or the receiver is not to be had.
    fn open(&self, config: &LogConfig) -> Result<Box<dyn Writer>, Error>;

    /// Reads back.
    ///
    /// # Errors
    /// `Unreadable`, unless the driver keeps what it is given.
    fn read(&self, config: &LogConfig, query: Query) -> Result<Reader, Error> {
        let (_, _) = (config, query);
        Err(Error::Unreadable(self.name()))
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// Both, in the order of [`Self::index`].
    pub const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// 0 or 1.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

/// A log being written. Dropping it loses what was not flushed; [`Self::close`] does not.
pub trait Writer: Send {
    /// Takes bytes, cut anywhere: a line may come in many pieces, and the pieces of the two streams in any order. `at`
    /// becomes the time of the lines that end in them.
    ///
    /// All bytes are taken, also where [`Self::flush`] last answered `Blocked`; whoever goes on giving then makes the
    /// writer drop lines instead of growing.
    ///
    /// # Errors
    /// Lines that could not be written, or were dropped, are lost; later ones are not, and the file stays whole.
    fn write(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) -> Result<(), Error>;

    /// Gives everything that is complete to the kernel, so that readers see it. Unfinished lines stay. Never waits.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn flush(&mut self) -> Result<Flushed, Error>;

    /// What to wait on for writing after `Blocked`. Another one each time the receiver was lost and found again, so
    /// ask after each flush.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Bytes in the log file, flushed ones: where a reader that starts after the next flush would begin. `None` for a
    /// driver that writes no file.
    fn position(&self) -> Option<u64> {
        None
    }

    /// A stream has ended: its last line is complete, even without a newline.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn end(&mut self, stream: Stream, at: Timestamp) -> Result<(), Error>;

    /// Ends both streams and flushes; a receiver that takes nothing for a second is left behind.
    ///
    /// # Errors
    /// As [`Self::write`].
    fn close(&mut self, at: Timestamp) -> Result<(), Error>;
}

/// What came of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing complete is left.
    All,
    /// The receiver takes nothing at the moment. Stop reading the container's output, wait until
    /// [`Writer::descriptor`] is writable, flush again.
    Blocked,
}

static DRIVERS: [&dyn Driver; 4] = [&JsonFile, &Syslog, &Journald, &Nowhere];

/// The driver of a name; the empty name is `json-file`.
///
/// # Errors
/// `UnknownDriver`; names are told apart by case.
pub fn driver(name: &str) -> Result<&'static dyn Driver, Error> {
    let wanted = if name.is_empty() { JsonFile.name() } else { name };
    DRIVERS.into_iter().find(|driver| driver.name() == wanted).ok_or_else(|| Error::UnknownDriver(name.to_owned()))
}

/// The drivers there are.
pub fn driver_names() -> impl Iterator<Item = &'static str> {
    DRIVERS.into_iter().map(Driver::name)
}

/// Begins to write a log.
///
/// # Errors
/// `UnknownDriver`, and what the driver says.
pub fn open(config: &LogConfig) -> Result<Box<dyn Writer>, Error> {
    driver(&config.driver)?.open(config)
}

/// Reads a log back. A file that is missing is an empty log (recording `daemon/log-file-gone`).
///
/// # Errors
/// `UnknownDriver`, `Unreadable`, `File`.
pub fn read(config: &LogConfig, query: Query) -> Result<Reader, Error> {
    driver(&config.driver)?.read(config, query)
}
