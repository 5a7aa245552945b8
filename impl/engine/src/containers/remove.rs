//! `remove`: a container, or a link to one.

use crate::{Engine, Error, Target};

/// Remove a container.
#[derive(Clone, Debug)]
pub struct Remove {
    /// Which.
    pub target: Target,
    /// Kill it if it runs.
    pub force: bool,
    /// Remove the volumes that nobody else uses.
    pub volumes: bool,
}

/// Remove a link.
#[derive(Clone, Debug)]
pub struct RemoveLink {
    /// `PARENT/ALIAS`, without leading slash.
    pub path: String,
}

impl Engine {
    /// Removes a container with all that is its own. Its name is free when this returns.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `RunningNotRemoved`, `Paused` (with force), `BeingRemoved`.
    pub async fn remove(&self, command: Remove) -> Result<(), Error> {
        let _ = command;
        todo!()
    }

    /// Removes a link from a parent to a child; both stay.
    ///
    /// # Errors
    /// `NameIsNoLink` for a container's own name, `NoSuchLink`.
    pub async fn remove_link(&self, command: RemoveLink) -> Result<(), Error> {
        let _ = command;
        todo!()
    }
}
