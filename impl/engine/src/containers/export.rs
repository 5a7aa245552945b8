//! `export`: all files of a container as an archive.

use crate::{ByteStream, Engine, Error, Target};

impl Engine {
    /// A tar archive of the container's files, volumes left out.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn export(&self, target: Target) -> Result<ByteStream, Error> {
        let _ = target;
        todo!()
    }
}
