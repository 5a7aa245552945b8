//! New images: imported, committed, built.

use crate::graph::Node;
use crate::image::{Image, NewImage};
use crate::store::{Change, find};
use crate::{Images, Result, file};
use drydock_core::{Id, Timestamp};
use drydock_layers::{Chain, Error as LayerError, Layer, LayerId, Rootfs, Unpacked};
use std::io::{self, BufWriter, Read};
use std::sync::Arc;

impl Images {
    /// A new image whose files are those of an archive (compressed or not), over those of its parent. Durable when
    /// this returns; no name points to it.
    ///
    /// # Errors
    /// `NoSuchImage` (the parent), `Layers` (damaged, empty, full disk).
    pub fn create(&self, new: &NewImage, archive: impl Read + Send) -> Result<Arc<Image>> {
        let lower = self.parent_chain(new)?;
        let unpacked = self.layers().unpack(archive)?;
        self.create_from(new, unpacked, &lower)
    }

    /// A new image whose files are what a container changed in its own.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn commit(&self, new: &NewImage, rootfs: &Rootfs) -> Result<Arc<Image>> {
        let lower = self.parent_chain(new)?;
        let (reader, writer) = io::pipe()?;
        let (unpacked, packed) = std::thread::scope(|scope| {
            let packing = scope.spawn(move || rootfs.diff(&mut BufWriter::with_capacity(256 * 1024, writer)));
            let unpacked = self.layers().unpack(reader);
            (unpacked, packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        let unpacked = match (packed, unpacked) {
            // The pipe broke, since unpacking failed: that is the reason.
            (Err(LayerError::Sink(_)), Err(error)) => return Err(error.into()),
            (Err(error), _) => return Err(error.into()),
            (Ok(()), unpacked) => unpacked?,
        };
        self.create_from(new, unpacked, &lower)
    }

    /// A new image that adds no files to its parent's.
    ///
    /// # Errors
    /// `NoSuchImage` (the parent).
    pub fn create_empty(&self, new: &NewImage) -> Result<Arc<Image>> {
        self.insert(new, Id::random(), None)
    }

    fn create_from(&self, new: &NewImage, unpacked: Unpacked, lower: &Chain) -> Result<Arc<Image>> {
        let id = Id::random();
        let layer = self.layers().keep(unpacked, LayerId(id), lower)?;
        self.insert(new, id, Some(layer))
    }

    fn insert(&self, new: &NewImage, id: Id, layer: Option<Layer>) -> Result<Arc<Image>> {
        let size = layer.as_ref().map_or(0, |layer| layer.totals().files);
        let file = file::compose(id, new, Timestamp::now(), size);
        let node = node(file::read("json", &file)?, file, layer);
        self.settle([&node])?;
        let mut writing = self.write();
        if let Some(parent) = new.parent {
            find(&self.graph(), &parent.to_string())?;
        }
        writing.commit(&[Change::Insert(Arc::clone(&node))])?;
        Ok(Arc::clone(&node.image))
    }

    fn parent_chain(&self, new: &NewImage) -> Result<Chain> {
        new.parent.map_or_else(|| Ok(Chain::default()), |parent| self.chain(parent))
    }
}

/// An image as the graph holds it.
pub(crate) fn node(image: Image, file: Vec<u8>, layer: Option<Layer>) -> Arc<Node> {
    let totals = layer.as_ref().map(Layer::totals).unwrap_or_default();
    let image = Image { size: totals.files, link_size: totals.links, layer: layer.as_ref().map(Layer::id), ..image };
    Arc::new(Node { image: Arc::new(image), file, layer })
}
