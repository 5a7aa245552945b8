//! The image store.
//!
//! `images.redb` of the data root holds images and names; all of it is also in memory. Whatever changes it goes through
//! [`Images::commit`]: on disk first, in one transaction, then in memory. Layers lie in their own store: they are made
//! durable before a transaction names them, and removed after one that no longer does.

use crate::graph::{Graph, Node, Unfound, Way};
use crate::image::{HistoryEntry, Image, Inspection};
use crate::{Error, Result, file};
use drydock_core::{Id, fault};
use drydock_layers::{Chain, Layer, LayerId, Layers};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// Version of the format of all records. A store of a newer one is refused.
const FORMAT: u32 = 1;

/// Pages that redb keeps in memory. Records are read once, at start.
const CACHE: usize = 256 * 1024;

const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");
const IMAGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("images");
/// Key: repository, a NUL, tag or digest. Value: an image's id.
const NAMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("names");

/// The image store. Clones are the same store.
#[derive(Clone, Debug)]
pub struct Images {
    layers: Layers,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Held by whoever changes the store, from the first look to the last change.
    database: Mutex<Option<Database>>,
    /// Written for moments only, by whoever holds [`Self::database`].
    graph: RwLock<Graph>,
}

/// What is written of an image beside its file.
#[derive(Serialize, Deserialize)]
struct Record {
    layer: Option<Id>,
    size: u64,
    link_size: u64,
    file: String,
}

/// One change of the store.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(Arc<Node>),
    Remove(Id),
    Tag(String, String, Id),
    Untag(String, String),
}

/// The right to change the store.
pub(crate) struct Writing<'a> {
    store: &'a Images,
    database: MutexGuard<'a, Option<Database>>,
    /// Images that were removed. Dropped after the right is given up, since their layers may go with them.
    gone: Vec<Arc<Node>>,
}

impl Images {
    /// Opens the store beneath `root` (the daemon's data root), makes it if there is none. Images whose layer is not
    /// there, and names that point to nothing, are left out and logged.
    ///
    /// # Errors
    /// `Database`, `NewerFormat`, `Record`.
    pub fn open(root: &Path, layers: Layers) -> Result<Self> {
        let path = root.join("images.redb");
        let (database, graph) = open(&path, &layers)?;
        let inner = Inner { path, database: Mutex::new(Some(database)), graph: RwLock::new(graph) };
        Ok(Self { layers, inner: Arc::new(inner) })
    }

    /// The layers beneath.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// How many images there are, with those that only serve as parents.
    #[must_use]
    pub fn count(&self) -> usize {
        self.graph().len()
    }

    /// The image that `reference` names: a repository with or without tag or digest, or an id or the beginning of one.
    ///
    /// # Errors
    /// `NoSuchImage`, `EmptyReference`, `AmbiguousReference`.
    pub fn find(&self, reference: &str) -> Result<Arc<Image>> {
        find(&self.graph(), reference).map(|(node, _)| Arc::clone(&node.image))
    }

    /// The image `id`.
    #[must_use]
    pub fn get(&self, id: Id) -> Option<Arc<Image>> {
        self.graph().get(id).map(|node| Arc::clone(&node.image))
    }

    /// The first of an image's names, in the order of their texts: `busybox:latest`.
    #[must_use]
    pub fn first_name(&self, id: Id) -> Option<String> {
        let graph = self.graph();
        graph.names(id).next().map(|(name, reference)| crate::graph::full_name(name, reference))
    }

    /// The file of the image `id`, byte for byte as it came.
    #[must_use]
    pub fn file(&self, id: Id) -> Option<Vec<u8>> {
        self.graph().get(id).map(|node| node.file.clone())
    }

    /// All that is known of the image that `reference` names.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn inspect(&self, reference: &str) -> Result<Inspection> {
        let graph = self.graph();
        let (node, _) = find(&graph, reference)?;
        Ok(graph.inspect(node, |_| true))
    }

    /// The image and its ancestors, the youngest first.
    ///
    /// # Errors
    /// Those of [`Self::find`].
    pub fn history(&self, reference: &str) -> Result<Vec<HistoryEntry>> {
        let graph = self.graph();
        let (node, _) = find(&graph, reference)?;
        let entry = |node: &Arc<Node>| HistoryEntry {
            image: Arc::clone(&node.image),
            tags: graph
                .names(node.image.id)
                .map(|(name, reference)| crate::graph::full_name(name, reference))
                .collect(),
        };
        Ok(graph.ancestry(node.image.id).map(entry).collect())
    }

    /// The layers of an image, for the root file system of a container. They stay while they are held.
    ///
    /// # Errors
    /// `NoSuchImage`.
    pub fn chain(&self, image: Id) -> Result<Chain> {
        let graph = self.graph();
        let known = graph.get(image).is_some();
        if known { Ok(graph.chain(image)) } else { Err(no_such_image(&image.to_string())) }
    }

    /// The layer of an image, with what its archive would be: what a push sends. `None` if it adds no files.
    ///
    /// # Errors
    /// `NoSuchImage`.
    pub fn layer(&self, image: Id) -> Result<Option<Layer>> {
        self.graph().get(image).map(|node| node.layer.clone()).ok_or_else(|| no_such_image(&image.to_string()))
    }

    /// Images made from `parent` (`None`: from nothing), in no order: where a build looks for what it made before.
    #[must_use]
    pub fn children(&self, parent: Option<Id>) -> Vec<Arc<Image>> {
        let graph = self.graph();
        graph.children(parent).filter_map(|id| graph.get(id)).map(|node| Arc::clone(&node.image)).collect()
    }

    pub(crate) fn graph(&self) -> RwLockReadGuard<'_, Graph> {
        self.inner.graph.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else changes the store.
    pub(crate) fn write(&self) -> Writing<'_> {
        let database = self.inner.database.lock().unwrap_or_else(PoisonError::into_inner);
        Writing { store: self, database, gone: Vec::new() }
    }

    /// Makes the layers of images durable that are to be inserted. Before [`Self::write`]: it takes long.
    pub(crate) fn settle<'a>(&self, nodes: impl IntoIterator<Item = &'a Arc<Node>>) -> Result<()> {
        let has_files = nodes.into_iter().any(|node| node.layer.is_some());
        if has_files { Ok(self.layers.sync()?) } else { Ok(()) }
    }
}

impl Writing<'_> {
    /// Makes `changes`, all or none: on disk, then for readers. What is inserted was [settled](Images::settle).
    pub(crate) fn commit(&mut self, changes: &[Change]) -> Result<()> {
        let path = &self.store.inner.path;
        let database = match &*self.database {
            Some(database) => database,
            None => self.database.insert(database(path)?),
        };
        if let Err(error) = write(database, changes) {
            // After a failed write redb wants to be opened again: the next change does so.
            *self.database = None;
            return Err(match error {
                WriteError::Database(source) => Error::database(path, *source),
                WriteError::Fault(source) => Error::Fault(source),
            });
        }
        let mut graph = self.store.inner.graph.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            match change {
                Change::Insert(node) => {
                    node.layer.as_ref().inspect(|layer| layer.retain());
                    graph.insert(Arc::clone(node));
                }
                Change::Remove(id) => self.gone.extend(graph.remove(*id)),
                Change::Tag(repository, reference, id) => graph.tag(repository, reference, *id),
                Change::Untag(repository, reference) => graph.untag(repository, reference),
            }
        }
        if !self.gone.is_empty() {
            let used: HashSet<LayerId> = graph.all().filter_map(|node| node.image.layer).collect();
            let unused = |layer: &&Layer| !used.contains(&layer.id());
            self.gone.iter().filter_map(|node| node.layer.as_ref()).filter(unused).for_each(Layer::release);
        }
        Ok(())
    }
}

pub(crate) fn find<'a>(graph: &'a Graph, reference: &str) -> Result<(&'a Arc<Node>, Way)> {
    graph.find(reference).map_err(|error| match error {
        Unfound::Empty => Error::EmptyReference,
        Unfound::Ambiguous => Error::AmbiguousReference(reference.to_owned()),
        Unfound::Nothing => no_such_image(reference),
        Unfound::NotInRepository(repository, selected) => Error::NoSuchImage {
            reference: reference.to_owned(),
            in_repository: Some(crate::graph::full_name(&repository, &selected)),
        },
    })
}

fn no_such_image(reference: &str) -> Error {
    Error::NoSuchImage { reference: reference.to_owned(), in_repository: None }
}

fn database(path: &Path) -> Result<Database> {
    Database::builder().set_cache_size(CACHE).create(path).map_err(|error| Error::database(path, error))
}

fn open(path: &Path, layers: &Layers) -> Result<(Database, Graph)> {
    let failed = |error: redb::Error| Error::database(path, error);
    let database = database(path)?;
    let write = database.begin_write().map_err(|error| failed(error.into()))?;
    {
        let mut meta = write.open_table(META).map_err(|error| failed(error.into()))?;
        let found = meta.get("format").map_err(|error| failed(error.into()))?.map(|format| format.value());
        match found {
            Some(found) if found > FORMAT => {
                return Err(Error::NewerFormat { path: path.to_owned(), found, known: FORMAT });
            }
            Some(_) => {}
            None => drop(meta.insert("format", FORMAT).map_err(|error| failed(error.into()))?),
        }
        write.open_table(IMAGES).map_err(|error| failed(error.into()))?;
        write.open_table(NAMES).map_err(|error| failed(error.into()))?;
    }
    write.commit().map_err(|error| failed(error.into()))?;
    let graph = read(&database, layers).map_err(|error| match error {
        ReadError::Database(error) => failed(*error),
        ReadError::Record(id) => Error::Record(id),
    })?;
    Ok((database, graph))
}

enum ReadError {
    Database(Box<redb::Error>),
    Record(Id),
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

fn read(database: &Database, layers: &Layers) -> std::result::Result<Graph, ReadError> {
    let mut graph = Graph::default();
    let read = database.begin_read()?;
    for entry in read.open_table(IMAGES)?.iter()? {
        let (key, value) = entry?;
        let Some(id) = id_of(key.value()) else { continue };
        let record: Record = serde_json::from_slice(value.value()).map_err(|_| ReadError::Record(id))?;
        let image = file::read("json", record.file.as_bytes()).map_err(|_| ReadError::Record(id))?;
        let layer = match record.layer.map(LayerId) {
            None => None,
            Some(layer) => match layers.get(layer) {
                None => {
                    tracing::error!(image = %id, %layer, "the image's layer is missing: the image is left out");
                    continue;
                }
                held => held,
            },
        };
        layer.as_ref().inspect(|layer| layer.retain());
        let image =
            Image { id, size: record.size, link_size: record.link_size, layer: layer.as_ref().map(Layer::id), ..image };
        graph.insert(Arc::new(Node { image: Arc::new(image), file: record.file.into_bytes(), layer }));
    }
    for entry in read.open_table(NAMES)?.iter()? {
        let (key, value) = entry?;
        let name = String::from_utf8_lossy(key.value()).into_owned();
        let (Some((repository, reference)), Some(id)) = (name.split_once('\0'), id_of(value.value())) else { continue };
        if graph.get(id).is_some() {
            graph.tag(repository, reference, id);
        } else {
            tracing::error!(repository, reference, image = %id, "the name points to no image: it is left out");
        }
    }
    Ok(graph)
}

fn id_of(bytes: &[u8]) -> Option<Id> {
    bytes.try_into().ok().map(Id::from_bytes)
}

enum WriteError {
    Database(Box<redb::Error>),
    Fault(std::io::Error),
}

impl<E: Into<redb::Error>> From<E> for WriteError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

fn write(database: &Database, changes: &[Change]) -> std::result::Result<(), WriteError> {
    let write = database.begin_write()?;
    {
        let mut images = write.open_table(IMAGES)?;
        let mut names = write.open_table(NAMES)?;
        let key = |repository: &str, reference: &str| format!("{repository}\0{reference}").into_bytes();
        for change in changes {
            match change {
                Change::Insert(node) => {
                    let record = Record {
                        layer: node.image.layer.map(|layer| layer.0),
                        size: node.image.size,
                        link_size: node.image.link_size,
                        file: String::from_utf8_lossy(&node.file).into_owned(),
                    };
                    let record =
                        serde_json::to_vec(&record).map_err(std::io::Error::from).map_err(WriteError::Fault)?;
                    images.insert(&node.image.id.as_bytes()[..], &record[..])?;
                }
                Change::Remove(id) => drop(images.remove(&id.as_bytes()[..])?),
                Change::Tag(repository, reference, id) => {
                    names.insert(&key(repository, reference)[..], &id.as_bytes()[..])?;
                }
                Change::Untag(repository, reference) => drop(names.remove(&key(repository, reference)[..])?),
            }
        }
    }
    fault::point("images.before-commit").map_err(WriteError::Fault)?;
    write.commit()?;
    // It is on disk: too late to fail.
    let _ = fault::point("images.after-commit");
    Ok(())
}
