//! `changes`: what a container changed in its image's files.

use crate::{Engine, Error, Target};

/// A changed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Absolute, in the container.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Content or attributes differ; for a directory also: something in it does.
    Modified,
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
}

impl Engine {
    /// What a container changed, sorted by path.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn changes(&self, target: Target) -> Result<Vec<Change>, Error> {
        let _ = target;
        todo!()
    }
}
