//! Loading images from an archive.
//!
//! An archive is read once, front to back: layers are unpacked as they come, small files are kept, and only at the end
//! is it known what they are to each other. Three forms are understood: what the documents describe (a directory per
//! image with `json` and `layer.tar`, and `repositories`), what later daemons save (`manifest.json`), and the OCI image
//! layout (`index.json`, `blobs/`). An archive that is several of these at once is read as the first of them.

mod contents;
mod documented;
mod oci;

use crate::create::node;
use crate::graph::{Node, local_name};
use crate::image::Image;
use crate::store::Change;
use crate::{Error, Images, Result};
use contents::Contents;
use drydock_core::{Id, fault};
use drydock_layers::{Chain, Layer, LayerId, Unpacked};
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// What came of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Images that were not here before, parents first.
    pub images: Vec<Id>,
    /// `repository:tag` with what it now points to.
    pub tags: Vec<(String, Id)>,
    /// `repository:tag` with the other image that it pointed to before.
    pub moved: Vec<(String, Id)>,
}

impl Images {
    /// Loads all images of an archive. An image that is here already is not unpacked again. All or nothing: on an error
    /// the store is as it was. An archive without images loads nothing.
    ///
    /// # Errors
    /// `Layers` (empty, damaged, full disk), `ArchiveJson`, `ArchiveId`, `ArchiveLacks`, `ArchiveDigest`,
    /// `ArchiveTooLarge`, `ArchiveLoop`, `Tag`, `RepositoryEmpty`.
    pub fn load(&self, archive: impl Read + Send) -> Result<Loaded> {
        let mut contents = Contents::read(self, archive)?;
        fault::point("images.load.read")?;
        let mut found = Found::new(self);
        if contents.is_documented() {
            documented::gather(&mut contents, &mut found)?;
        } else {
            oci::gather(&mut contents, &mut found)?;
        }
        found.register()
    }
}

/// What an archive turned out to hold, on its way into the store.
struct Found<'a> {
    store: &'a Images,
    /// Parents before children.
    nodes: Vec<Arc<Node>>,
    by_id: HashMap<Id, usize>,
    /// Repository, tag, image.
    tags: Vec<(String, String, Id)>,
    /// The layers of the image that was gathered last: mostly the next one's parent.
    last: Option<(Id, Chain)>,
}

/// A layer that an image is to have.
enum Source {
    /// Unpacked, and without a name yet.
    Unpacked(Unpacked),
    /// Here already.
    Here(Layer),
    /// None: the image adds no files.
    Nothing,
}

impl<'a> Found<'a> {
    fn new(store: &'a Images) -> Self {
        Self { store, nodes: Vec::new(), by_id: HashMap::new(), tags: Vec::new(), last: None }
    }

    /// Whether the image is here, in the store or from this archive.
    fn has(&self, id: Id) -> bool {
        self.by_id.contains_key(&id) || self.store.graph().get(id).is_some()
    }

    /// Adds an image whose parent is here.
    fn add(&mut self, image: Image, file: Vec<u8>, source: Source, name: LayerId) -> Result<()> {
        let mut chain = self.chain(image.parent)?;
        let layer = match source {
            Source::Unpacked(unpacked) => Some(self.store.layers().keep(unpacked, name, &chain)?),
            Source::Here(layer) => Some(layer),
            Source::Nothing => None,
        };
        chain = layer.iter().cloned().fold(chain, |mut chain, layer| {
            chain.push(layer);
            chain
        });
        self.last = Some((image.id, chain));
        self.by_id.insert(image.id, self.nodes.len());
        self.nodes.push(node(image, file, layer));
        Ok(())
    }

    /// The layer of an image of the archive.
    fn layer(&self, id: Id) -> Option<Layer> {
        self.nodes.get(*self.by_id.get(&id)?)?.layer.clone()
    }

    /// The layers of an image of the archive or the store.
    fn chain(&mut self, id: Option<Id>) -> Result<Chain> {
        let Some(id) = id else { return Ok(Chain::default()) };
        if let Some((_, chain)) = self.last.take_if(|(last, _)| *last == id) {
            return Ok(chain);
        }
        let (mut layers, mut next) = (Vec::new(), Some(id));
        while let Some(id) = next {
            let Some(node) = self.by_id.get(&id).and_then(|at| self.nodes.get(*at)) else {
                let below = self.store.chain(id).map_err(|_| Error::ArchiveLacks(id.to_string()))?;
                layers.extend(below.layers().iter().rev().cloned());
                break;
            };
            layers.extend(node.layer.clone());
            next = node.image.parent;
        }
        layers.reverse();
        Ok(Chain::new(layers))
    }

    /// A name is to point to an image of the archive or the store.
    fn tag(&mut self, repository: &str, tag: &str, id: Id) -> Result<()> {
        if repository.is_empty() {
            return Err(Error::RepositoryEmpty);
        }
        // The loosest rule: an archive may come from a daemon that had no other.
        drydock_core::TagRules::NoSeparators.check(tag)?;
        if !self.has(id) {
            return Err(Error::ArchiveLacks(id.to_string()));
        }
        self.tags.push((local_name(repository).to_owned(), tag.to_owned(), id));
        Ok(())
    }

    /// Puts it all into the store at once.
    fn register(self) -> Result<Loaded> {
        self.store.settle(&self.nodes)?;
        let mut writing = self.store.write();
        let mut loaded = Loaded::default();
        let mut changes = Vec::new();
        {
            let graph = self.store.graph();
            for node in &self.nodes {
                let (id, parent) = (node.image.id, node.image.parent);
                // Somebody else may have loaded it, or deleted its parent, meanwhile.
                if let Some(lacking) = parent.filter(|id| !self.by_id.contains_key(id) && graph.get(*id).is_none()) {
                    return Err(Error::ArchiveLacks(lacking.to_string()));
                }
                if graph.get(id).is_none() {
                    loaded.images.push(id);
                    changes.push(Change::Insert(Arc::clone(node)));
                }
            }
            for (repository, tag, id) in &self.tags {
                if !self.by_id.contains_key(id) && graph.get(*id).is_none() {
                    return Err(Error::ArchiveLacks(id.to_string()));
                }
                let name = format!("{repository}:{tag}");
                if let Some(before) = graph.pointed_to(repository, tag).filter(|before| before != id) {
                    loaded.moved.push((name.clone(), before));
                }
                changes.push(Change::Tag(repository.clone(), tag.clone(), *id));
                loaded.tags.push((name, *id));
            }
        }
        if !changes.is_empty() {
            writing.commit(&changes)?;
        }
        Ok(loaded)
    }
}
