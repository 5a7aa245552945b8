//! New images: imported, committed, built.

use crate::{Image, Images, NewImage, Result};
use std::io::Read;

impl Images {
    /// A new image whose files are those of an archive (compressed or not), over those of its parent. Durable when
    /// this returns; no tag points to it.
    ///
    /// # Errors
    /// `NoSuchImage` (the parent), `Layers` (damaged, empty, full disk).
    pub fn create(&self, image: NewImage, archive: impl Read + Send) -> Result<Image> {
        let _ = (image, archive);
        todo!()
    }

    /// A new image that adds no files to its parent's.
    ///
    /// # Errors
    /// `NoSuchImage` (the parent).
    pub fn create_empty(&self, image: NewImage) -> Result<Image> {
        let _ = image;
        todo!()
    }
}
