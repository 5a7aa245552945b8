//! A layer that is held.

use super::inner::Inner;
use crate::chain::LayerId;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::files;
use crate::pack::Packer;
use crate::tree::{Part, Tree};
use crate::unpack::Totals;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::sync::Arc;

/// What is written beside a layer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Info {
    pub(super) files: u64,
    pub(super) links: u64,
    /// Of the archive it came from, not compressed.
    pub(super) digest: String,
    #[serde(skip)]
    pub(super) parsed: Option<Digest>,
}

/// A layer that is held: its files stay as long as somebody holds it.
#[derive(Debug)]
pub struct Layer {
    pub(super) id: LayerId,
    pub(super) info: Arc<Info>,
    pub(super) store: Arc<Inner>,
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
