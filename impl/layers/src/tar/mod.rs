//! Archives: reading and writing tar as streams.

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
