//! `export`: all files of a container as an archive.

use crate::events::Action;
use crate::streams::{ByteStream, written};
use crate::{Engine, Error, Target};

impl Engine {
    /// A tar archive of the container's files, volumes left out.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Layers`.
    pub async fn export(&self, target: Target) -> Result<ByteStream, Error> {
        let container = self.find(&target)?;
        let rootfs = self.0.images.layers().rootfs(container.id)?;
        self.tell(&container, Action::Export);
        Ok(written(move |to| rootfs.export(to).map_err(std::io::Error::other)))
    }
}
