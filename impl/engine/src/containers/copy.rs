//! `copy`: a file or directory of a container as an archive.

use crate::{ByteStream, Engine, Error, Target};

/// Read a path of a container.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Of which.
    pub target: Target,
    /// Path in the container; a leading slash is not needed.
    pub resource: String,
    /// Volumes are seen, too; else what lies beneath them in the container's own files.
    pub sees_volumes: bool,
}

impl Engine {
    /// A tar archive of a path: the file itself, or the directory with all that is in it.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `EmptyPath`, `NoSuchPath`, `PathLoop`.
    pub async fn copy(&self, command: Copy) -> Result<ByteStream, Error> {
        let _ = command;
        todo!()
    }
}
