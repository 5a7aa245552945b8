//! `commit`: an image from a container.

use crate::config::ContainerConfig;
use crate::{Engine, Error, Target};
use drydock_core::Id;

/// Make an image of a container.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Of which.
    pub target: Target,
    /// Repository of the new image; empty: none.
    pub repository: String,
    /// Tag; empty: `latest`.
    pub tag: String,
    /// Which tags are allowed.
    pub tag_rules: drydock_core::TagRules,
    /// A word on it.
    pub comment: String,
    /// Who made it.
    pub author: String,
    /// Freeze the container meanwhile.
    pub pause: bool,
    /// Configuration of the image; the container's is merged in.
    pub config: Option<ContainerConfig>,
}

impl Engine {
    /// Makes an image of a container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Images`.
    pub async fn commit(&self, command: Commit) -> Result<Id, Error> {
        let _ = command;
        todo!()
    }
}
