//! Why an image operation was refused or failed.
//!
//! One variant per thing that clients of some version can tell apart. No client reads these words: the view binds each
//! variant to the recorded text.

use drydock_core::{Id, TagError};
use std::io;
use std::path::{Path, PathBuf};

/// What this crate's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an image operation was refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    // Finding
    /// The reference as the client wrote it. `in_repository` is set where the repository exists and only the tag does
    /// not: `repository:tag`.
    #[error("no image {reference}")]
    NoSuchImage { reference: String, in_repository: Option<String> },
    #[error("an empty reference")]
    EmptyReference,
    #[error("{0} begins several ids")]
    AmbiguousReference(String),

    // Tagging
    #[error("an empty repository name")]
    RepositoryEmpty,
    #[error("the reserved name {0}")]
    RepositoryReserved(String),
    #[error("the tag is refused")]
    Tag(#[from] TagError),
    #[error("the digest {0:?} is refused")]
    DigestMalformed(String),
    #[error("{repository}:{tag} is set to {is} already")]
    TagTaken { repository: String, tag: String, is: Id },
    #[error("{repository}@{digest} is set to {is} already")]
    DigestTaken { repository: String, digest: String, is: Id },

    // Deleting
    /// As the client wrote it.
    #[error("{reference} is tagged in several repositories")]
    SeveralRepositories { reference: String },
    /// `untagged`: the tag is gone all the same. `running`: not even force helps.
    #[error("{container} uses {image}")]
    InUse { image: Id, container: Id, running: bool, forced: bool, untagged: bool },
    #[error("nothing of {0} was deleted")]
    NothingDeleted(String),
    #[error("no image named to save")]
    NothingToSave,

    // Archives
    #[error(transparent)]
    Layers(#[from] drydock_layers::Error),
    #[error("the file {path} of the archive")]
    ArchiveJson {
        path: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("{0:?} is no image id")]
    ArchiveId(String),
    #[error("the archive names {0}, which is neither in it nor here")]
    ArchiveLacks(String),
    #[error("{0} does not have the content that its digest says")]
    ArchiveDigest(String),
    #[error("the archive's file {0} is too large")]
    ArchiveTooLarge(String),
    #[error("{0} is its own ancestor")]
    ArchiveLoop(Id),

    // The store
    /// No space or quota left for the metadata; for layers it is [`drydock_layers::Error::Full`].
    #[error("no space left for {path}")]
    Full {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the image store at {path}")]
    Database {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error("the image store at {path} has format {found}, newer than {known}")]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
    #[error("a record of {0} that does not read")]
    Record(Id),
    #[error("the image store")]
    Fault(#[from] io::Error),
}

impl Error {
    pub(crate) fn database(path: &Path, source: impl Into<redb::Error>) -> Self {
        let path = path.to_owned();
        match source.into() {
            redb::Error::Io(source)
                if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Self::Full { path, source }
            }
            source => Self::Database { path, source: Box::new(source) },
        }
    }
}
