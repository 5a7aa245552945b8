//! A mounted root file system.

use std::path::{Path, PathBuf};

/// A root file system mounted at a path. Dropping it unmounts.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }
}
