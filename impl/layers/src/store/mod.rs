//! The layer store.
//!
//! Beneath `layers/` of the data root:
//!
//! - `format.json`: the version of this layout, and which marks the disk takes.
//! - `tree/ID/diff`: a layer's files. `tree/ID/layer.json`: what is known of them. `tree/ID/init`: the files that every
//!   container on top of this layer has, made when the first one is.
//! - `containers/ID`: a container's own files, see [`crate::Rootfs`].
//! - `staging/`: what is being made. It is renamed into place when it is whole.
//! - `trash/`: what is being removed. It is renamed to here first, so that nothing is ever seen by half.
//!
//! A layer stays as long as it is retained, somebody holds it, or a container on disk lies on it.

mod disk;
mod format;
mod inner;
mod layer;

pub(crate) use disk::{read_json, write_json};
pub(crate) use inner::Inner;
pub use layer::Layer;

use crate::chain::{Chain, LayerId};
use crate::compression::Compression;
use crate::digest::{Digest, Digesting};
use crate::driver::DriverKind;
use crate::error::{Error, Result};
use crate::files;
use crate::tar::Reader;
use crate::unpack::{Totals, Unpacker};
use disk::Staging;
use drydock_core::{Id, fault};
use inner::Slot;
use layer::Info;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The layer store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Layers(pub(crate) Arc<Inner>);

/// A layer that was unpacked and has no name yet. Dropping it removes it.
pub struct Unpacked {
    staging: Staging,
    unpacker: Unpacker,
    digest: Digest,
    length: u64,
}

impl Layers {
    /// Opens the store beneath `root` (the daemon's data root), makes it if there is none.
    ///
    /// `driver`: `None` takes overlayfs where it works, else vfs. Containers keep the driver they were made with.
    ///
    /// # Errors
    /// `Driver` when the one asked for does not work, `NewerFormat`, `Io`.
    pub fn open(root: &Path, driver: Option<DriverKind>) -> Result<Self> {
        let root = root.join("layers");
        for name in ["tree", "containers", "staging", "trash"] {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(|error| Error::io("making", path, error))?;
        }
        for name in ["staging", "trash"] {
            disk::empty(&root.join(name))?;
        }
        let marks = format::open(&root)?;
        let driver = format::choose(&root, driver, marks)?;
        let mut table = HashMap::new();
        for id in disk::ids(&root.join("tree"))? {
            // One without its description is a half one: the sweep takes it.
            if let Ok(info) = read_json::<Info>(&root.join("tree").join(id.to_string()).join("layer.json")) {
                let info = Arc::new(Info { parsed: info.digest.parse().ok(), ..info });
                table.insert(LayerId(id), Slot { info, holders: 0, pins: 0, retained: false });
            }
        }
        Ok(Self(Arc::new(Inner { root, driver, marks, table: Mutex::new(table), containers: Mutex::default() })))
    }

    /// The driver of containers that are made now.
    #[must_use]
    pub fn driver(&self) -> DriverKind {
        self.0.driver
    }

    /// What `info` tells of the driver: name and value, in order.
    #[must_use]
    pub fn status(&self) -> Vec<(String, String)> {
        match self.0.driver {
            DriverKind::Overlay => vec![("Backing Filesystem".to_owned(), format::backing(&self.0.root).to_owned())],
            DriverKind::Vfs => Vec::new(),
        }
    }

    /// The layer `id`, if it is here; from now on it is held.
    #[must_use]
    pub fn get(&self, id: LayerId) -> Option<Layer> {
        Inner::hold(&self.0, id)
    }

    /// A layer whose archive has this digest, wherever in a chain it lies. It holds the same files; only directories
    /// that its archive implied may look otherwise.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Option<Layer> {
        let id = self.0.table().iter().find(|(_, slot)| slot.info.parsed == Some(digest)).map(|(id, _)| *id)?;
        self.get(id)
    }

    /// Unpacks a layer's archive, compressed or not.
    ///
    /// # Errors
    /// `Archive`, `Source`, `Full`, `Io`. Nothing stays.
    pub fn unpack(&self, archive: impl Read + Send) -> Result<Unpacked> {
        let staging = self.0.stage("layer")?;
        let diff = staging.path().join("diff");
        fs::create_dir(&diff).map_err(|error| Error::io("making", &diff, error))?;
        let handle = files::open_root(&diff).map_err(|error| Error::io("opening", &diff, error))?;
        rustix::fs::fchmod(&handle, rustix::fs::Mode::from_raw_mode(0o755))
            .map_err(|error| Error::io("making", &diff, error))?;
        let mut unpacker = Unpacker::new(handle, Some(self.0.marks));
        let mut digesting = Digesting::new(Compression::open(archive)?);
        let mut reader = Reader::new(&mut digesting);
        unpacker.run(&mut reader)?;
        reader.finish()?;
        let (digest, length) = digesting.finish().map_err(Error::Source)?;
        fault::point("layers.unpacked").map_err(|error| Error::io("unpacking to", &diff, error))?;
        Ok(Unpacked { staging, unpacker, digest, length })
    }

    /// Gives an unpacked layer its name. `lower`: the layers it lies on. If a layer of that name came here meanwhile,
    /// it is that one, and the new one is removed.
    ///
    /// It is not [retained](Layer::retain) yet: when its last holder drops it, it goes.
    ///
    /// # Errors
    /// `Archive` (a hard link to what is not in `lower` either), `Full`, `Io`.
    pub fn keep(&self, unpacked: Unpacked, id: LayerId, lower: &Chain) -> Result<Layer> {
        let Unpacked { staging, unpacker, digest, .. } = unpacked;
        if let Some(here) = self.get(id) {
            return Ok(here);
        }
        // A chain may be long, and few archives leave anything unsaid but their root, which is the next layer's.
        let lower = if unpacker.asks_below() { self.0.lower(lower) } else { self.0.lower(&lower.topmost()) };
        let tree = lower.tree().map_err(|error| Error::io("opening the layers of", staging.path(), error))?;
        let Totals { files, links } = unpacker.finish(&tree)?;
        let info = Info { files, links, digest: digest.to_string(), parsed: Some(digest) };
        write_json(&staging.path().join("layer.json"), &info)?;
        let place = self.0.root.join("tree").join(id.to_string());
        let mut table = self.0.table();
        if table.contains_key(&id) {
            drop(table);
            return self.get(id).ok_or(Error::NoSuchLayer(id));
        }
        // A half layer of an earlier life may stand there until the sweep.
        if place.exists() {
            self.0.discard(&place)?;
        }
        fault::point("layers.keep")
            .and_then(|()| staging.rename(&place))
            .map_err(|error| Error::io("making", &place, error))?;
        let info = Arc::new(info);
        table.insert(id, Slot { info: Arc::clone(&info), holders: 1, pins: 0, retained: false });
        drop(table);
        Ok(Layer { id, info, store: Arc::clone(&self.0) })
    }

    /// Makes all layers durable that were kept so far: to be called before something durable names them.
    ///
    /// # Errors
    /// `Full`, `Io`.
    pub fn sync(&self) -> Result<()> {
        let failed = |error: io::Error| Error::io("writing to disk", &self.0.root, error);
        fault::point("layers.sync").map_err(failed)?;
        let root = files::open_root(&self.0.root).map_err(|error| failed(error.into()))?;
        rustix::fs::syncfs(root).map_err(|error| failed(error.into()))
    }

    /// Removes what a life that ended suddenly left behind: files of containers that are not among `containers`, and
    /// layers that are neither retained nor held nor lain on. To be called once, after the images were found; what is
    /// made meanwhile is safe.
    ///
    /// # Errors
    /// `Io`.
    pub fn sweep(&self, containers: &[Id]) -> Result<()> {
        for id in disk::ids(&self.0.root.join("containers"))? {
            if containers.contains(&id) {
                // Found, its layers stay.
                if let Err(error) = self.rootfs(id) {
                    tracing::error!(container = %id, %error, "the container's files are not whole");
                }
                continue;
            }
            let known = self.0.containers();
            // One that was made since the caller counted its containers is no leftover.
            if !known.contains_key(&id) {
                let trash = self.0.to_trash(&self.0.root.join("containers").join(id.to_string()));
                drop(known);
                trash?.empty()?;
            }
        }
        for id in disk::ids(&self.0.root.join("tree"))? {
            let mut table = self.0.table();
            let idle = |slot: &Slot| slot.holders == 0 && slot.pins == 0 && !slot.retained;
            if table.get(&LayerId(id)).is_none_or(idle) {
                table.remove(&LayerId(id));
                let trash = self.0.to_trash(&self.0.root.join("tree").join(id.to_string()));
                drop(table);
                trash?.empty()?;
            }
        }
        Ok(())
    }
}

impl Unpacked {
    /// Digest of the archive, not compressed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the archive, not compressed.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked").field("staging", &self.staging).field("digest", &self.digest).finish_non_exhaustive()
    }
}
