//! The layer store.

use crate::chain::{Chain, LayerId};
use crate::driver::DriverKind;
use crate::error::Result;
use crate::rootfs::Rootfs;
use drydock_core::Id;
use std::path::Path;
use std::sync::Arc;

/// The layer store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Layers {
    driver: DriverKind,
}

/// A layer that is held: its files stay as long as somebody holds it.
#[derive(Clone, Debug)]
pub struct Layer(Arc<LayerId>);

impl Layers {
    /// Opens the store beneath `root` (the daemon's data root), makes it if there is none.
    ///
    /// `driver`: `None` takes overlayfs where it works, else vfs.
    ///
    /// # Errors
    /// `Driver` when the one asked for does not work, `Io`.
    pub fn open(root: &Path, driver: Option<DriverKind>) -> Result<Self> {
        let _ = root;
        Ok(Self { driver: driver.unwrap_or(DriverKind::Overlay) })
    }

    /// The driver in use.
    #[must_use]
    pub fn driver(&self) -> DriverKind {
        self.driver
    }

    /// What `info` tells of the driver: name and value, in order.
    #[must_use]
    pub fn status(&self) -> Vec<(String, String)> {
        todo!()
    }

    /// Makes the root file system of a container on `chain`.
    ///
    /// # Errors
    /// `Full`, `Io`.
    pub fn create_rootfs(&self, container: Id, chain: &Chain) -> Result<Rootfs> {
        let _ = (container, chain);
        todo!()
    }

    /// Finds it again after a restart.
    ///
    /// # Errors
    /// `NoSuchRootfs`, `NoSuchLayer`, `Io`.
    pub fn rootfs(&self, container: Id) -> Result<Rootfs> {
        let _ = container;
        todo!()
    }

    /// Removes what a life that ended suddenly left behind: half layers, root file systems of containers that are not
    /// among `containers`, layers that nobody holds. To be called once, after all that is known was found again.
    ///
    /// # Errors
    /// `Io`.
    pub fn sweep(&self, containers: &[Id]) -> Result<()> {
        let _ = containers;
        todo!()
    }
}

impl Layer {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> LayerId {
        *self.0
    }

    /// Bytes in its files.
    #[must_use]
    pub fn size(&self) -> u64 {
        todo!()
    }
}
