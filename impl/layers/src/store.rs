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

use crate::chain::{Chain, LayerId};
use crate::compression::Compression;
use crate::digest::{Digest, Digesting};
use crate::driver::{DriverKind, Lower};
use crate::error::{Error, Result};
use crate::files;
use crate::pack::Packer;
use crate::remove::remove_tree;
use crate::rootfs::Record;
use crate::tar::Reader;
use crate::tree::{Part, Tree};
use crate::unpack::{Totals, Unpacker};
use crate::whiteout::Marks;
use drydock_core::{Id, fault};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Version of the layout on disk. A store of a newer one is refused.
const FORMAT: u32 = 1;

/// The layer store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Layers(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) driver: DriverKind,
    pub(crate) marks: Marks,
    /// Held for moments only: nothing is read, written or removed under it but names.
    table: Mutex<HashMap<LayerId, Slot>>,
    /// Root file systems on disk that lie on their layers. Taken before [`Self::table`].
    containers: Mutex<HashMap<Id, Arc<Record>>>,
}

/// What is known of a layer on disk.
#[derive(Debug)]
struct Slot {
    info: Arc<Info>,
    holders: usize,
    /// Containers on disk that lie on it.
    pins: usize,
    retained: bool,
}

/// What is written beside a layer.
#[derive(Debug, Serialize, Deserialize)]
struct Info {
    files: u64,
    links: u64,
    /// Of the archive it came from, not compressed.
    digest: String,
    #[serde(skip)]
    parsed: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
    overlay_marks: bool,
}

/// A layer that is held: its files stay as long as somebody holds it.
#[derive(Debug)]
pub struct Layer {
    id: LayerId,
    info: Arc<Info>,
    store: Arc<Inner>,
}

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
            empty(&root.join(name))?;
        }
        let marks = open_format(&root)?;
        let driver = choose(&root, driver, marks)?;
        let mut table = HashMap::new();
        for id in ids(&root.join("tree"))? {
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
            DriverKind::Overlay => vec![("Backing Filesystem".to_owned(), backing(&self.0.root).to_owned())],
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
        for id in ids(&self.0.root.join("containers"))? {
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
        for id in ids(&self.0.root.join("tree"))? {
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

impl Layer {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> LayerId {
        self.id
    }

    /// Bytes in its files, and in the targets of its symbolic links.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals { files: self.info.files, links: self.info.links }
    }

    /// Digest of the archive it came from, not compressed.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.info.parsed
    }

    /// Writes it as an archive. The same layer makes the same bytes.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn write(&self, to: &mut dyn Write) -> Result<()> {
        let mut packer = Packer::new(to).with_marks(self.store.marks);
        packer.root(&self.tree()?)?;
        packer.finish()
    }

    /// How many bytes [`Self::write`] writes; no file is read for it.
    ///
    /// # Errors
    /// `Io`.
    pub fn archive_length(&self) -> Result<u64> {
        Packer::length(self.store.marks, |packer| packer.root(&self.tree()?))
    }

    fn tree(&self) -> Result<Tree> {
        let diff = self.store.layer(self.id).join("diff");
        let handle = files::open_root(&diff).map_err(|error| Error::io("opening", &diff, error))?;
        Ok(Tree::new(vec![Part { handle, marks: None }]))
    }

    /// From now on it stays when nobody holds it, also over restarts, as long as it is retained again before the sweep.
    pub fn retain(&self) {
        if let Some(slot) = self.store.table().get_mut(&self.id) {
            slot.retained = true;
        }
    }

    /// From now on it goes with its last holder.
    pub fn release(&self) {
        if let Some(slot) = self.store.table().get_mut(&self.id) {
            slot.retained = false;
        }
    }
}

impl Clone for Layer {
    fn clone(&self) -> Self {
        if let Some(slot) = self.store.table().get_mut(&self.id) {
            slot.holders += 1;
        }
        Self { id: self.id, info: Arc::clone(&self.info), store: Arc::clone(&self.store) }
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        if let Err(error) = self.store.let_go(self.id, |slot| slot.holders -= 1) {
            tracing::warn!(layer = %self.id, %error, "removing a layer; the next start removes the rest");
        }
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, HashMap<LayerId, Slot>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Root file systems that are known: from the time that they are in their place.
    pub(crate) fn containers(&self) -> MutexGuard<'_, HashMap<Id, Arc<Record>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(store: &Arc<Self>, id: LayerId) -> Option<Layer> {
        let mut table = store.table();
        let slot = table.get_mut(&id)?;
        slot.holders += 1;
        Some(Layer { id, info: Arc::clone(&slot.info), store: Arc::clone(store) })
    }

    /// A container on disk lies on these layers from now on. All or none: `Err` is the first that is missing.
    pub(crate) fn pin(&self, ids: &[LayerId]) -> Result<()> {
        let mut table = self.table();
        if let Some(missing) = ids.iter().find(|id| !table.contains_key(id)) {
            return Err(Error::NoSuchLayer(*missing));
        }
        for id in ids {
            if let Some(slot) = table.get_mut(id) {
                slot.pins += 1;
            }
        }
        Ok(())
    }

    /// The container is gone.
    pub(crate) fn unpin(&self, ids: &[LayerId]) -> Result<()> {
        ids.iter().map(|id| self.let_go(*id, |slot| slot.pins -= 1)).fold(Ok(()), Result::and)
    }

    /// Lets go of a layer, and removes it if nobody needs it any more.
    fn let_go(&self, id: LayerId, change: impl FnOnce(&mut Slot)) -> Result<()> {
        let mut table = self.table();
        let Some(slot) = table.get_mut(&id) else { return Ok(()) };
        change(slot);
        if slot.holders > 0 || slot.pins > 0 || slot.retained {
            return Ok(());
        }
        table.remove(&id);
        let trash = self.to_trash(&self.layer(id));
        drop(table);
        trash?.empty()
    }

    pub(crate) fn layer(&self, id: LayerId) -> PathBuf {
        self.root.join("tree").join(id.to_string())
    }

    /// The directories of a chain, the topmost first.
    pub(crate) fn lower(&self, chain: &Chain) -> Lower {
        let directories = chain.layers().iter().rev().map(|layer| self.layer(layer.id).join("diff")).collect();
        Lower { directories, marks: self.marks }
    }

    /// A fresh directory for something that is being made.
    pub(crate) fn stage(&self, what: &str) -> Result<Staging> {
        let path = self.root.join("staging").join(format!("{what}-{}", Id::random().short()));
        fs::create_dir(&path).map_err(|error| Error::io("making", &path, error))?;
        Ok(Staging(Some(path)))
    }

    /// Takes `path` out of sight.
    fn to_trash(&self, path: &Path) -> Result<Trash> {
        let trash = self.root.join("trash").join(Id::random().short());
        let failed = |error| Error::io("removing", path, error);
        fault::point("layers.trash").map_err(failed)?;
        match fs::rename(path, &trash) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(Trash(trash)),
        }
    }

    /// Removes `path`: out of sight first.
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        self.to_trash(path)?.empty()
    }
}

struct Trash(PathBuf);

impl Trash {
    fn empty(self) -> Result<()> {
        fault::point("layers.remove").map_err(|error| Error::io("removing", &self.0, error))?;
        remove(&self.0)
    }
}

/// A directory in which something is being made. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staging(Option<PathBuf>);

impl Staging {
    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Puts what was made in its place.
    pub(crate) fn rename(mut self, to: &Path) -> io::Result<()> {
        if let Some(path) = &self.0 {
            fs::rename(path, to)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = remove(path)
        {
            tracing::warn!(path = %path.display(), %error, "removing; the next start removes the rest");
        }
    }
}

fn remove(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = files::open_root(parent).map_err(|error| Error::io("opening", parent, error))?;
    remove_tree(parent, name.as_bytes())
}

fn empty(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory).map_err(|error| Error::io("listing", directory, error))?;
    for entry in entries {
        remove(&entry.map_err(|error| Error::io("listing", directory, error))?.path())?;
    }
    Ok(())
}

/// Names in `directory` that are ids.
fn ids(directory: &Path) -> Result<Vec<Id>> {
    let failed = |error| Error::io("listing", directory, error);
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        ids.extend(entry.map_err(failed)?.file_name().to_str().and_then(|name| name.parse::<Id>().ok()));
    }
    Ok(ids)
}

fn open_format(root: &Path) -> Result<Marks> {
    let path = root.join("format.json");
    if path.exists() {
        let found: Format = read_json(&path)?;
        if found.format > FORMAT {
            return Err(Error::NewerFormat { path, found: found.format, known: FORMAT });
        }
        return Ok(if found.overlay_marks { Marks::Overlay } else { Marks::Files });
    }
    let marks = Marks::for_disk(&root.join("staging"));
    write_json(&path, &Format { format: FORMAT, overlay_marks: marks == Marks::Overlay })?;
    Ok(marks)
}

fn choose(root: &Path, asked: Option<DriverKind>, marks: Marks) -> Result<DriverKind> {
    let scratch = root.join("staging").join("probe");
    let works = |kind: DriverKind| {
        fs::create_dir(&scratch)?;
        let result = kind.driver().probe(&scratch, marks);
        remove(&scratch).map_err(io::Error::other)?;
        result
    };
    let failed = |kind: DriverKind, source| Error::Driver { driver: kind.name(), root: root.to_owned(), source };
    if let Some(kind) = asked {
        return works(kind).map(|()| kind).map_err(|error| failed(kind, error));
    }
    for kind in DriverKind::ALL {
        match works(kind) {
            Ok(()) => return Ok(kind),
            Err(error) => tracing::info!(driver = kind.name(), %error, "this storage driver does not work here"),
        }
    }
    Err(failed(DriverKind::Vfs, io::ErrorKind::Unsupported.into()))
}

/// What the old daemons called the file system of their data root.
fn backing(root: &Path) -> &'static str {
    let kind = rustix::fs::statfs(root).map(|stat| stat.f_type);
    match kind {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0x6969) => "nfs",
        _ => "<unknown>",
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let failed = |error| Error::io("reading", path, error);
    serde_json::from_slice(&fs::read(path).map_err(failed)?).map_err(|error| failed(error.into()))
}

/// Writes a file whole or not at all, durably.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |error| Error::io("writing", path, error);
    let half = path.with_extension("half");
    let write = || {
        let mut file = fs::File::create(&half)?;
        serde_json::to_writer(&mut file, value)?;
        fs::rename(&half, path)
    };
    write().map_err(failed)
}
