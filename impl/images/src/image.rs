//! What an image is.

use drydock_core::{Id, Timestamp};
use drydock_layers::LayerId;
use serde_json::{Map, Value};
use std::sync::Arc;

/// An image, as it is known to clients. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its id.
    pub id: Id,
    /// The image that it was made from.
    pub parent: Option<Id>,
    /// When it was made.
    pub created: Timestamp,
    /// A word on it.
    pub comment: String,
    /// Who made it.
    pub author: String,
    /// The container that it was made from, as its file says (mostly 64 hex digits); empty if from none.
    pub container: String,
    /// Configuration of that container; an object with the documents' names, `Null` if there is none.
    pub container_config: Value,
    /// Configuration for containers made from it; as [`Self::container_config`].
    pub config: Value,
    /// Version of the daemon that made it.
    pub docker_version: String,
    /// `amd64`.
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// Bytes in the files that it adds to its parent's.
    pub size: u64,
    /// Bytes in the targets of symbolic links that it adds: the oldest daemons counted them in.
    pub link_size: u64,
    /// The layer with those files; `None` if it adds none.
    pub layer: Option<LayerId>,
}

impl Image {
    /// Labels of the configuration of the container it was made from: those that lists show and filters match.
    #[must_use]
    pub fn labels(&self) -> Option<&Map<String, Value>> {
        self.container_config.get("Labels").and_then(Value::as_object)
    }

    /// The command of the container it was made from, joined with blanks.
    #[must_use]
    pub fn created_by(&self) -> String {
        match self.container_config.get("Cmd") {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            Some(Value::String(command)) => command.clone(),
            _ => String::new(),
        }
    }
}

/// An image with what only the graph knows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// The image.
    pub image: Arc<Image>,
    /// Its bytes with those of all ancestors.
    pub virtual_size: u64,
    /// [`Image::link_size`] with that of all ancestors.
    pub virtual_link_size: u64,
    /// `repository:tag` of all that point to it, sorted.
    pub repo_tags: Vec<String>,
    /// `repository@digest` of all that point to it, sorted.
    pub repo_digests: Vec<String>,
}

/// A line of an image's history.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// The image.
    pub image: Arc<Image>,
    /// `repository:tag` and `repository@digest` of all that point to it, sorted.
    pub tags: Vec<String>,
}

/// What a new image is to be. Its id, and what files it has, come from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct NewImage {
    /// Made from this image.
    pub parent: Option<Id>,
    /// A word on it.
    pub comment: String,
    /// Who made it.
    pub author: String,
    /// The container that it was made from.
    pub container: Option<Id>,
    /// Configuration of that container, an object; `Null`: none.
    pub container_config: Value,
    /// Configuration for containers made from it, an object; `Null`: none.
    pub config: Value,
    /// The version that is told of the daemon.
    pub docker_version: String,
}
