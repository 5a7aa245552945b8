//! What a container changed in its image's files.

/// A changed path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Absolute, in the container. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path. The numbers are those of `GET /containers/(id)/changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Content or attributes differ; for a directory also: something in it does.
    Modified = 0,
    /// It is new.
    Added = 1,
    /// It is gone.
    Deleted = 2,
}

/// Whether a directory whose modification time alone differs has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryTimes {
    /// It has, as 1.2.0 tells (`life/changes`, `/mnt`).
    Count,
    /// It has not, as all later ones tell.
    Ignored,
}
