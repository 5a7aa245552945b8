//! `changes`: what a container changed in its image's files.

use crate::chores::blocking;
use crate::{Engine, Error, Target};
use drydock_layers::{Change, DirectoryTimes};

/// Ask what a container changed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Which.
    pub target: Target,
    /// Whether a directory whose time alone differs has changed.
    pub times: DirectoryTimes,
}

impl Engine {
    /// What a container changed, sorted by path.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Layers`.
    pub async fn changes(&self, command: Changes) -> Result<Vec<Change>, Error> {
        let container = self.find(&command.target)?;
        let engine = self.clone();
        let changes = blocking(move || engine.0.images.layers().rootfs(container.id)?.changes(command.times)).await;
        Ok(changes?)
    }
}
