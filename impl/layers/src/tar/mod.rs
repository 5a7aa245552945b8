//! Archives: reading and writing tar as streams.
//!
//! [`Reader`] understands ustar, PAX and GNU headers (long names, sparse files, numbers beyond octal) and holds no more
//! of an archive than one header and one buffer. [`Writer`] writes ustar, with PAX records for what does not fit: long
//! names, nanoseconds, large numbers, extended attributes. Of a file with holes it writes GNU's sparse form.
//!
//! Own code, and not the `tar` crate, since that one takes names and PAX records of any size into memory, leaves PAX
//! times to its caller, and reads only the oldest of four sparse forms.

mod block;
mod entry;
mod pax;
mod reader;
mod sparse;
mod writer;

pub use entry::{Entry, Extent, Kind, Time};
pub use reader::Reader;
pub use writer::Writer;

use std::io;

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not one byte.
    #[error("empty")]
    Empty,
    /// It ends in the middle of something.
    #[error("ends too early")]
    Truncated,
    /// It is no archive, or a damaged one.
    #[error("{0}")]
    Malformed(&'static str),
    /// A compressed stream that does not decompress.
    #[error("damaged {0} stream")]
    Compression(&'static str),
    /// An entry, or what it links to, leads out of the root.
    #[error("{0:?} leads out of the root")]
    Escapes(String),
    /// An entry that cannot be what it says: a file over its own directory, a link to nothing.
    #[error("the entry {path:?}: {reason}")]
    Entry {
        /// Its path as it stands in the archive.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl ArchiveError {
    pub(crate) fn entry(path: &[u8], reason: &'static str) -> Self {
        Self::Entry { path: String::from_utf8_lossy(path).into_owned(), reason }
    }
}

/// An archive's bytes failed to come, or are no archive.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They are no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// They failed to come.
    #[error("reading the archive")]
    Source(#[source] io::Error),
}

impl From<io::Error> for ReadError {
    /// Decompressors wrap an [`ArchiveError`] into what [`std::io::Read`] allows; it is unwrapped here.
    fn from(error: io::Error) -> Self {
        match error.downcast::<ArchiveError>() {
            Ok(error) => Self::Archive(error),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Self::Archive(ArchiveError::Truncated),
            Err(error) => Self::Source(error),
        }
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archive(error) => Self::new(io::ErrorKind::InvalidData, error),
            ReadError::Source(error) => error,
        }
    }
}

impl From<ReadError> for crate::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Archive(error) => Self::Archive(error),
            ReadError::Source(error) => Self::Source(error),
        }
    }
}
