//! Loading images from an archive.

use crate::{Images, Result};
use drydock_core::Id;
use std::io::Read;

/// What came of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Images that were not here before.
    pub images: Vec<Id>,
    /// `repository:tag` with what it now points to.
    pub tags: Vec<(String, Id)>,
    /// `repository:tag` with the other image that it pointed to before.
    pub moved: Vec<(String, Id)>,
}

impl Images {
    /// Loads all images of an archive: `repositories`, `VERSION`, `json`, `layer.tar` as documented; also what newer
    /// ones save (`manifest.json`) and the OCI image layout. An image that is here already is not unpacked again. All
    /// or nothing: on an error the store is as it was.
    ///
    /// # Errors
    /// `Layers` (damaged, full disk), `ArchiveJson`, `ArchiveId`, `ArchiveLacks`, `ArchiveDigest`.
    pub fn load(&self, archive: impl Read + Send) -> Result<Loaded> {
        let _ = archive;
        todo!()
    }
}
