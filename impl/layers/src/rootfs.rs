//! A container's own files over its image's.

use crate::changes::{Change, DirectoryTimes};
use crate::driver::Plan;
use crate::error::Result;
use crate::mount::Mount;
use drydock_core::Id;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A container's own files over its image's and over those that every container has (`/etc/hosts`, `/.dockerenv`…:
/// empty files to mount over). It stays on disk when dropped; [`Rootfs::remove`] removes it.
#[derive(Clone, Debug)]
pub struct Rootfs {
    container: Id,
}

/// A directory of the host that is seen at a path of the container.
#[derive(Clone, Debug)]
pub struct Graft {
    /// Absolute path in the container.
    pub at: PathBuf,
    /// Directory or file on the host.
    pub source: PathBuf,
}

impl Rootfs {
    /// Whose it is.
    #[must_use]
    pub fn container(&self) -> Id {
        self.container
    }

    /// What to mount, for whoever mounts it in a namespace of its own.
    ///
    /// # Errors
    /// `Io`, `TooManyLayers`.
    pub fn plan(&self) -> Result<Plan> {
        todo!()
    }

    /// Mounts it at `at`, a directory that exists.
    ///
    /// # Errors
    /// `Io`, `TooManyLayers`.
    pub fn mount(&self, at: &Path) -> Result<Mount> {
        let _ = at;
        todo!()
    }

    /// What differs from the image, sorted by path.
    ///
    /// # Errors
    /// `Io`.
    pub fn changes(&self, times: DirectoryTimes) -> Result<Vec<Change>> {
        let _ = times;
        todo!()
    }

    /// Bytes in files that were written or added: `SizeRw`.
    ///
    /// # Errors
    /// `Io`.
    pub fn size(&self) -> Result<u64> {
        todo!()
    }

    /// Writes what differs from the image as a layer's archive, whiteouts included: what commit makes an image of.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn diff(&self, to: &mut dyn Write) -> Result<()> {
        let _ = to;
        todo!()
    }

    /// Writes all files as an archive, names relative to the root.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn export(&self, to: &mut dyn Write) -> Result<()> {
        let _ = to;
        todo!()
    }

    /// Finds `path` (symbolic links are followed, within the root) and returns it, ready to be written: errors that a
    /// client should see come before the first byte. A root is named `root_name` in the archive, others by their last
    /// part. What lies at `grafts` is seen instead of what the container has there.
    ///
    /// # Errors
    /// `NoSuchPath`, `PathLoop`, `Io`.
    pub fn copy(&self, path: &str, root_name: &str, grafts: &[Graft]) -> Result<Copy> {
        let _ = (path, root_name, grafts);
        todo!()
    }

    /// Removes all that the container wrote. Layers that nobody else holds and whose image is gone go too.
    ///
    /// # Errors
    /// `Io`; what could be removed is.
    pub fn remove(self) -> Result<()> {
        todo!()
    }
}

/// A path that was found, ready to be written as an archive.
#[derive(Debug)]
pub struct Copy {}

impl Copy {
    /// Writes it.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn write(self, to: &mut dyn Write) -> Result<()> {
        let _ = to;
        todo!()
    }
}
