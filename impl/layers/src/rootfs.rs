//! A container's own files over its image's.
//!
//! `containers/ID` holds `rootfs.json` (driver and layers, the topmost first) and what the driver keeps there.

use crate::chain::{Chain, LayerId};
use crate::changes::{Change, ChangeKind, DirectoryTimes, Found, compare};
use crate::copy::{self, Copy};
use crate::driver::{DriverKind, Lower, Plan};
use crate::error::{Error, Result};
use crate::files::is_directory;
use crate::init;
use crate::mount::{self, Mount};
use crate::pack::{Graft, Packer};
use crate::path::{join, split};
use crate::store::{Inner, Layers, read_json, write_json};
use crate::tar::{Entry, Kind};
use crate::tree::Tree;
use crate::whiteout;
use drydock_core::{Id, fault};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kernel lays no more directories over one another.
const MOST_LAYERS: usize = 500;

/// A container's own files over its image's and over those that every container has (`/etc/hosts`, `/.dockerenv`…:
/// empty files to mount over). It stays on disk when dropped; [`Rootfs::remove`] removes it.
#[derive(Clone, Debug)]
pub struct Rootfs {
    container: Id,
    store: Arc<Inner>,
    record: Arc<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    driver: DriverKind,
    /// The topmost first.
    layers: Vec<Id>,
}

impl Layers {
    /// Makes the root file system of a container on `chain`, whose layers stay as long as it does.
    ///
    /// # Errors
    /// `TooManyLayers`, `Full`, `Io`. Nothing stays.
    pub fn create_rootfs(&self, container: Id, chain: &Chain) -> Result<Rootfs> {
        if chain.layers().len() >= MOST_LAYERS {
            return Err(Error::TooManyLayers(chain.layers().len()));
        }
        init::ensure(&self.0, chain)?;
        let staging = self.0.stage("container")?;
        let record =
            Record { driver: self.0.driver, layers: chain.layers().iter().rev().map(|layer| layer.id().0).collect() };
        let rootfs = Rootfs { container, store: Arc::clone(&self.0), record: Arc::new(record) };
        rootfs.record.driver.driver().create(staging.path(), &rootfs.lower())?;
        write_json(&staging.path().join("rootfs.json"), &*rootfs.record)?;
        let place = rootfs.place();
        fault::point("layers.rootfs").map_err(|error| Error::io("making", &place, error))?;
        self.0.pin(&rootfs.pinned())?;
        let mut known = self.0.containers();
        if let Err(error) = staging.rename(&place) {
            drop(known);
            self.0.unpin(&rootfs.pinned())?;
            return Err(Error::io("making", &place, error));
        }
        known.insert(container, Arc::clone(&rootfs.record));
        drop(known);
        Ok(rootfs)
    }

    /// A container's root file system.
    ///
    /// # Errors
    /// `NoSuchRootfs`, `NoSuchLayer`, `Io`.
    pub fn rootfs(&self, container: Id) -> Result<Rootfs> {
        let mut known = self.0.containers();
        if let Some(record) = known.get(&container) {
            return Ok(Rootfs { container, store: Arc::clone(&self.0), record: Arc::clone(record) });
        }
        // The first time after a restart.
        let place = self.0.root.join("containers").join(container.to_string());
        if !place.exists() {
            return Err(Error::NoSuchRootfs(container));
        }
        let record = Arc::new(read_json(&place.join("rootfs.json"))?);
        let rootfs = Rootfs { container, store: Arc::clone(&self.0), record };
        self.0.pin(&rootfs.pinned())?;
        known.insert(container, Arc::clone(&rootfs.record));
        Ok(rootfs)
    }
}

impl Rootfs {
    /// Whose it is.
    #[must_use]
    pub fn container(&self) -> Id {
        self.container
    }

    /// The driver it was made with.
    #[must_use]
    pub fn driver(&self) -> DriverKind {
        self.record.driver
    }

    /// What to mount, for whoever mounts it in a namespace of its own.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.record.driver.driver().plan(&self.place(), &self.lower())
    }

    /// Mounts it at `at`, a directory that exists.
    ///
    /// # Errors
    /// `Io`.
    pub fn mount(&self, at: &Path) -> Result<Mount> {
        mount::mount(&self.plan(), at).map_err(|error| Error::io("mounting", at, error))
    }

    /// What differs from the image, sorted by path.
    ///
    /// # Errors
    /// `Io`.
    pub fn changes(&self, times: DirectoryTimes) -> Result<Vec<Change>> {
        let shown =
            |found: Found| Change { path: format!("/{}", String::from_utf8_lossy(&found.path)), kind: found.kind };
        Ok(self.found(times)?.into_iter().map(shown).collect())
    }

    /// Bytes in files that were written or added: `SizeRw`.
    ///
    /// # Errors
    /// `Io`.
    pub fn size(&self) -> Result<u64> {
        Ok(self.found(DirectoryTimes::Ignored)?.iter().map(|found| found.size).sum())
    }

    /// Writes what differs from the image as a layer's archive, whiteouts included: what commit makes an image of.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn diff(&self, to: &mut dyn Write) -> Result<()> {
        let found = self.found(DirectoryTimes::Ignored)?;
        let root = self.tree()?;
        let mut packer = Packer::new(to);
        // Changes of one directory stand together.
        let mut last: (Vec<u8>, Tree) = (Vec::new(), root.again().map_err(|error| self.failed("reading", error))?);
        for change in found {
            let (parent, name) = split(&change.path);
            if name.starts_with(whiteout::PREFIX) {
                tracing::warn!(path = %String::from_utf8_lossy(&change.path), "a layer cannot hold a file of this name");
                continue;
            }
            if change.kind == ChangeKind::Deleted {
                let mark = join(parent, &[whiteout::PREFIX, name].concat());
                packer.header(&Entry { mode: 0, ..Entry::new(mark, Kind::File) })?;
                continue;
            }
            if last.0 != parent {
                let entered = root.descend(parent).map_err(|error| self.failed("reading", error))?;
                // Gone since it was compared.
                let Some(entered) = entered else { continue };
                last = (parent.to_vec(), entered);
            }
            if let Some(node) = last.1.look(name).map_err(|error| self.failed("reading", error))? {
                packer.entry(&last.1, name, node, &change.path)?;
            }
        }
        packer.finish()
    }

    /// Writes all files as an archive, names relative to the root.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn export(&self, to: &mut dyn Write) -> Result<()> {
        let mut packer = Packer::new(to);
        packer.root(&self.tree()?)?;
        packer.finish()
    }

    /// Finds `path` (symbolic links are followed, within the root) and returns it, ready to be written: errors that a
    /// client should see come before the first byte. A root is named `root_name` in the archive, others by their last
    /// part. What lies at `grafts` is seen instead of what the container has there.
    ///
    /// # Errors
    /// `NoSuchPath`, `PathLoop`, `Io`.
    pub fn copy(&self, path: &str, root_name: &str, grafts: &[Graft]) -> Result<Copy> {
        Copy::find(self.tree()?, path, root_name, grafts)
    }

    /// Whether `path` is there, links not followed, and whether it is a directory.
    ///
    /// # Errors
    /// `Io`.
    pub fn look(&self, path: &str) -> Result<Option<bool>> {
        let path = copy::lexical(path.as_bytes()).join(&b'/');
        let (parent, name) = split(&path);
        let found = self.tree()?.descend(parent).and_then(|tree| match tree {
            Some(_) if name.is_empty() => Ok(Some(true)),
            Some(tree) => Ok(tree.look(name)?.map(|node| is_directory(&node.stat))),
            None => Ok(None),
        });
        found.map_err(|error| self.failed("looking in", error))
    }

    /// Removes all that the container wrote. Layers that nobody needs any more go too. It must not be mounted.
    ///
    /// # Errors
    /// `Io`; what could be removed is.
    pub fn remove(self) -> Result<()> {
        if self.store.containers().remove(&self.container).is_none() {
            return Ok(());
        }
        let removed = self.store.discard(&self.place());
        removed.and(self.store.unpin(&self.pinned()))
    }

    fn place(&self) -> PathBuf {
        self.store.root.join("containers").join(self.container.to_string())
    }

    fn pinned(&self) -> Vec<LayerId> {
        self.record.layers.iter().copied().map(LayerId).collect()
    }

    /// The files that every container has, and the layers beneath.
    fn lower(&self) -> Lower {
        let diff = |id: &LayerId| self.store.layer(*id).join("diff");
        let layers = self.pinned();
        let mut directories = vec![init::directory(&self.store, layers.first().copied())];
        directories.extend(layers.iter().map(diff));
        Lower { directories, marks: self.store.marks }
    }

    /// What the container sees, but for mounts.
    fn tree(&self) -> Result<Tree> {
        let open = || {
            let upper = self.record.driver.driver().upper(&self.place(), self.store.marks)?;
            let mut parts = vec![upper];
            if parts[0].marks.is_some() {
                parts.extend(self.lower().parts()?);
            }
            Ok(Tree::new(parts))
        };
        open().map_err(|error| self.failed("opening", error))
    }

    fn found(&self, times: DirectoryTimes) -> Result<Vec<Found>> {
        let upper = self.record.driver.driver().upper(&self.place(), self.store.marks);
        let lower = self.lower().tree();
        let failed = |error| self.failed("opening", error);
        compare(upper.map_err(failed)?, &lower.map_err(failed)?, times)
    }

    fn failed(&self, what: &'static str, error: rustix::io::Errno) -> Error {
        Error::io(what, self.place(), error)
    }
}
