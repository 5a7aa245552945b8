//! The image store.

use crate::{Error, HistoryEntry, Image, Inspection, Result};
use drydock_core::Id;
use drydock_layers::{Chain, Layers};
use std::path::Path;

/// The image store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Images {
    layers: Layers,
}

impl Images {
    /// Opens the store beneath `root` (the daemon's data root), makes it if there is none.
    ///
    /// # Errors
    /// `Database`, `NewerFormat`, `Layers`.
    pub fn open(root: &Path, layers: Layers) -> Result<Self> {
        let _ = root;
        Ok(Self { layers })
    }

    /// The layers beneath.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// How many images there are, with those that only serve as parents.
    #[must_use]
    pub fn count(&self) -> usize {
        todo!()
    }

    /// The image that `reference` names: a repository with or without tag or digest, or an id or the beginning of one.
    ///
    /// # Errors
    /// `NoSuchImage`, `EmptyReference`, `AmbiguousReference`.
    pub fn find(&self, reference: &str) -> Result<Image> {
        Err(Error::NoSuchImage { reference: reference.to_owned(), in_repository: None })
    }

    /// The image `id`.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<Image> {
        let _ = id;
        todo!()
    }

    /// All that is known of the image that `reference` names.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn inspect(&self, reference: &str) -> Result<Inspection> {
        let _ = reference;
        todo!()
    }

    /// The image and its ancestors, the youngest first.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn history(&self, reference: &str) -> Result<Vec<HistoryEntry>> {
        let _ = reference;
        todo!()
    }

    /// The layers of an image, for the root file system of a container. They stay while they are held.
    ///
    /// # Errors
    /// `NoSuchImage`.
    pub fn chain(&self, image: Id) -> Result<Chain> {
        let _ = image;
        todo!()
    }

    /// Images made from `parent` (`None`: from nothing), in no order: where a build looks for what it made before.
    #[must_use]
    pub fn children(&self, parent: Option<Id>) -> Vec<Image> {
        let _ = parent;
        todo!()
    }
}
