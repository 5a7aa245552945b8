//! How a container's root file system comes together.

use std::path::PathBuf;

/// A storage driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// The kernel's overlayfs.
    Overlay,
    /// A copy of all files for each container: slow, and works everywhere.
    Vfs,
}

impl DriverKind {
    /// As `-s` and `info` write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Overlay => "overlay",
            Self::Vfs => "vfs",
        }
    }
}

/// What to mount to get a container's root file system: for whoever wants to mount it in its own mount namespace,
/// where nothing is left behind when the last process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// An overlay mount.
    Overlay {
        /// Lower directories, the topmost first. There may be hundreds: `fsconfig` with `lowerdir+` takes them one by
        /// one.
        lower: Vec<PathBuf>,
        /// Where writes go.
        upper: PathBuf,
        /// The overlay's own scratch directory.
        work: PathBuf,
    },
    /// A bind mount of this directory.
    Directory(PathBuf),
}
