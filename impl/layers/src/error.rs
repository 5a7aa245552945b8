//! Why the layer store refused or failed.

use crate::chain::LayerId;
use crate::tar::ArchiveError;
use drydock_core::Id;
use std::io;
use std::path::{Path, PathBuf};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the layer store refused or failed. A full disk is [`Error::Full`], wherever it was met.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive is empty, damaged or hostile.
    #[error("the archive is refused")]
    Archive(#[from] ArchiveError),
    /// The archive's source failed; no word on the archive itself.
    #[error("reading the archive")]
    Source(#[source] io::Error),
    /// Whoever takes the archive failed.
    #[error("writing the archive")]
    Sink(#[source] io::Error),
    /// No space or quota left for {path}. What had been written is removed.
    #[error("no space left for {path}")]
    Full {
        /// What was written.
        path: PathBuf,
        /// `ENOSPC` or `EDQUOT`.
        #[source]
        source: io::Error,
    },
    /// There is no such layer.
    #[error("no layer {0}")]
    NoSuchLayer(LayerId),
    /// The container has no root file system here.
    #[error("no root file system of {0}")]
    NoSuchRootfs(Id),
    /// The path does not exist in the root file system.
    #[error("no file {0}")]
    NoSuchPath(String),
    /// Too many symbolic links on the way.
    #[error("too many symbolic links at {0}")]
    PathLoop(String),
    /// The driver does not work on this data root.
    #[error("the driver {driver} does not work beneath {root}")]
    Driver {
        /// Its name.
        driver: &'static str,
        /// The data root.
        root: PathBuf,
        /// What was tried and failed.
        #[source]
        source: io::Error,
    },
    /// The store was written by a newer version.
    #[error("the layer store at {path} has format {found}, newer than {known}")]
    NewerFormat {
        /// Where it says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// More layers than the kernel mounts on one another.
    #[error("{0} layers are too many")]
    TooManyLayers(usize),
    /// A call failed.
    #[error("{what} {path}")]
    Io {
        /// What was done.
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// A call that failed, as [`Error::Full`] when the disk was.
    pub(crate) fn io(what: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.as_ref().to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { what, path, source },
        }
    }
}
