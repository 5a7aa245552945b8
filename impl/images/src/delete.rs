//! Deleting images.

use crate::{Images, Result};
use drydock_core::Id;

/// Delete what a reference names.
#[derive(Clone, Debug)]
pub struct Delete {
    /// A name or an id, as the client wrote it.
    pub reference: String,
    /// Images that stopped containers use, and those with several names.
    pub force: bool,
    /// Parents that nothing points to stay.
    pub keep_parents: bool,
    /// What daemons did differently.
    pub policy: DeletePolicy,
}

/// What daemons did differently when images are deleted.
#[derive(Clone, Debug)]
pub struct DeletePolicy {
    /// Containers are looked at before the tag goes, else only when the image would go (the tag is gone then).
    pub check_use_first: bool,
    /// Force by id takes the tags of all repositories, else only those of the first.
    pub force_takes_all_repositories: bool,
    /// An empty reference is [`EmptyReference`](crate::Error::EmptyReference), else an image that does not exist.
    pub refuse_empty: bool,
}

/// A container that was made from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The container.
    pub container: Id,
    /// The image it was made from.
    pub image: Id,
    /// It runs.
    pub running: bool,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// A name is gone: `repository:tag` or `repository@digest`. The image that it pointed to.
    Untagged(String, Id),
    /// An image is gone.
    Image(Id),
}

impl Images {
    /// Deletes. `users`: all containers; asked for while images can't change, so it must not call back.
    ///
    /// # Errors
    /// `NoSuchImage`, `EmptyReference`, `SeveralRepositories`, `InUse`, `NothingDeleted`.
    pub fn delete(&self, command: &Delete, users: &dyn Fn() -> Vec<User>) -> Result<Vec<Deleted>> {
        let _ = (command, users);
        todo!()
    }
}
