//! Which layers are on disk, who needs them, and where all is.

use super::disk::{Staging, Trash};
use super::layer::{Info, Layer};
use crate::chain::{Chain, LayerId};
use crate::driver::{DriverKind, Lower};
use crate::error::{Error, Result};
use crate::rootfs::Record;
use crate::whiteout::Marks;
use drydock_core::Id;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) driver: DriverKind,
    pub(crate) marks: Marks,
    /// Held for moments only: nothing is read, written or removed under it but names.
    pub(super) table: Mutex<HashMap<LayerId, Slot>>,
    /// Root file systems on disk that lie on their layers. Taken before [`Self::table`].
    pub(super) containers: Mutex<HashMap<Id, Arc<Record>>>,
}

/// What is known of a layer on disk.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) info: Arc<Info>,
    pub(super) holders: usize,
    /// Containers on disk that lie on it.
    pub(super) pins: usize,
    pub(super) retained: bool,
}

impl Inner {
    pub(super) fn table(&self) -> MutexGuard<'_, HashMap<LayerId, Slot>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Root file systems that are known: from the time that they are in their place.
    pub(crate) fn containers(&self) -> MutexGuard<'_, HashMap<Id, Arc<Record>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(store: &Arc<Self>, id: LayerId) -> Option<Layer> {
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
    pub(super) fn let_go(&self, id: LayerId, change: impl FnOnce(&mut Slot)) -> Result<()> {
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
        Staging::new(&self.root.join("staging"), what)
    }

    /// Takes `path` out of sight.
    pub(super) fn to_trash(&self, path: &Path) -> Result<Trash> {
        Trash::take(&self.root.join("trash"), path)
    }

    /// Removes `path`: out of sight first.
    pub(crate) fn discard(&self, path: &Path) -> Result<()> {
        self.to_trash(path)?.empty()
    }
}
