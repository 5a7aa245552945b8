//! How a container's root file system comes together.
//!
//! Layers lie on disk in one form, whatever the driver: a directory each, with marks for what they take away. A driver
//! says what a container's own directory holds and how a root file system is made of it and the layers. A new driver is
//! one file and a line in [`DriverKind::driver`]; it has to pass [the suite](../tests/drivers.rs).

mod overlay;
mod vfs;

use crate::error::Result;
use crate::tree::{Part, Tree};
use crate::whiteout::Marks;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A storage driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriverKind {
    /// The kernel's overlayfs.
    Overlay,
    /// A copy of all files for each container: slow, and works everywhere.
    Vfs,
}

impl DriverKind {
    /// All, the best first.
    pub const ALL: [Self; 2] = [Self::Overlay, Self::Vfs];

    /// As `-s` and `info` write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Vfs => "vfs",
        }
    }

    /// The driver that is called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub(crate) fn driver(self) -> &'static dyn Driver {
        match self {
            Self::Overlay => &overlay::Overlay,
            Self::Vfs => &vfs::Vfs,
        }
    }
}

/// What a driver does.
pub(crate) trait Driver: Sync {
    /// Whether it works for a store beneath `root`; the reason if not. `scratch` is an empty directory there.
    fn probe(&self, scratch: &Path, marks: Marks) -> std::io::Result<()>;

    /// Fills `own`, a container's empty directory, so that `lower` shows through.
    fn create(&self, own: &Path, lower: &Lower) -> Result<()>;

    /// What to mount.
    fn plan(&self, own: &Path, lower: &Lower) -> Plan;

    /// What the container wrote: a directory that lies over `lower`, or holds everything.
    fn upper(&self, own: &Path, marks: Marks) -> rustix::io::Result<Part>;
}

/// Directories of layers that a root file system lies on, the topmost first.
#[derive(Clone, Debug)]
pub(crate) struct Lower {
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) marks: Marks,
}

impl Lower {
    /// As one tree.
    pub(crate) fn tree(&self) -> rustix::io::Result<Tree> {
        Ok(Tree::new(self.parts()?))
    }

    pub(crate) fn parts(&self) -> rustix::io::Result<Vec<Part>> {
        let mut parts = Vec::new();
        for directory in &self.directories {
            let handle = crate::files::open_root(directory)?;
            let opaque = self.marks.is_opaque(&handle)?;
            parts.push(Part { handle, marks: Some(self.marks) });
            if opaque {
                break;
            }
        }
        Ok(parts)
    }
}

/// What to mount to get a container's root file system: for whoever mounts it in a mount namespace of its own, where
/// nothing stays behind when the last process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// An overlay mount.
    Overlay {
        /// Lower directories, the topmost first. There may be hundreds: `fsconfig` takes them one by one as
        /// `lowerdir+`.
        lower: Vec<PathBuf>,
        /// Where writes go.
        upper: PathBuf,
        /// The overlay's own scratch directory.
        work: PathBuf,
        /// Further options, name and value: features that would leave in `upper` what no archive can say.
        options: Vec<(&'static str, &'static str)>,
    },
    /// A bind mount of this directory.
    Directory(PathBuf),
}
