//! Saving images as an archive.

use crate::{Images, Result};
use std::io::Write;

/// Images found for saving: errors that a client should see come before the first byte.
#[derive(Debug)]
pub struct Save {}

impl Images {
    /// Finds what `names` name: a repository (all of its tags), `repository:tag`, or an id.
    ///
    /// # Errors
    /// `NothingToSave`, those of [`Images::find`].
    pub fn save(&self, names: &[String]) -> Result<Save> {
        let _ = names;
        todo!()
    }
}

impl Save {
    /// Writes the archive: of each image and its ancestors `VERSION`, `json` and `layer.tar`, then `repositories`. The
    /// same images make the same bytes.
    ///
    /// # Errors
    /// `Layers`.
    pub fn write(self, to: &mut dyn Write) -> Result<()> {
        let _ = to;
        todo!()
    }
}
