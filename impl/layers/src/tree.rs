//! Directories over one another, read as one.

use crate::files::{self, DIRECTORY, is_directory, open_directory};
use crate::whiteout::{Look, Marks};
use rustix::fs::{Mode, OFlags, Stat, openat};
use rustix::io::{Errno, Result};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::os::fd::OwnedFd;

/// One directory of those that are merged.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) handle: OwnedFd,
    /// `None`: a plain directory, in which no name is a mark.
    pub(crate) marks: Option<Marks>,
}

/// A directory as it looks when all layers lie over one another, the topmost first.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    parts: Vec<Part>,
}

/// What is seen at a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) stat: Stat,
    /// Which part has it.
    part: usize,
}

impl Tree {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// A directory of the host as it is.
    pub(crate) fn plain(handle: OwnedFd) -> Self {
        Self { parts: vec![Part { handle, marks: None }] }
    }

    /// The directory itself; `None` of an empty chain.
    pub(crate) fn own(&self) -> Result<Option<Stat>> {
        self.parts.first().map(|part| rustix::fs::fstat(&part.handle)).transpose()
    }

    /// Attributes of the directory itself.
    pub(crate) fn own_xattrs(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        match self.parts.first() {
            Some(part) => files::xattrs(&files::proc_path(&part.handle, b"."), true),
            None => Ok(Vec::new()),
        }
    }

    /// The handle of the topmost directory.
    pub(crate) fn top(&self) -> Option<&OwnedFd> {
        self.parts.first().map(|part| &part.handle)
    }

    pub(crate) fn look(&self, name: &[u8]) -> Result<Option<Node>> {
        for (at, part) in self.parts.iter().enumerate() {
            match look(part, name)? {
                Look::There(stat) => return Ok(Some(Node { stat, part: at })),
                Look::Whiteout => return Ok(None),
                Look::Absent => {}
            }
        }
        Ok(None)
    }

    /// The directory `name`, which is there.
    pub(crate) fn enter(&self, name: &[u8], node: Node) -> Result<Self> {
        let mut parts = Vec::new();
        for part in &self.parts[node.part..] {
            match look(part, name)? {
                Look::There(stat) if is_directory(&stat) => {
                    let handle = open_directory(&part.handle, name)?;
                    let opaque = part.marks.is_some_and(|marks| marks.is_opaque(&handle).unwrap_or(false));
                    parts.push(Part { handle, marks: part.marks });
                    if opaque {
                        break;
                    }
                }
                Look::There(_) | Look::Whiteout => break,
                Look::Absent => {}
            }
        }
        if parts.is_empty() { Err(Errno::NOENT) } else { Ok(Self { parts }) }
    }

    /// All that is seen in the directory, sorted by name.
    pub(crate) fn list(&self) -> Result<Vec<(Vec<u8>, Node)>> {
        let mut seen: BTreeMap<Vec<u8>, Option<Node>> = BTreeMap::new();
        for (at, part) in self.parts.iter().enumerate() {
            for (on_disk, _) in files::names(&part.handle)? {
                // Gone since it was listed.
                let Some(stat) = files::stat(&part.handle, &on_disk)? else { continue };
                let meaning = match part.marks {
                    None => Some((on_disk, false)),
                    Some(marks) => marks.meaning(&on_disk, &stat),
                };
                let Some((name, gone)) = meaning else { continue };
                if let Slot::Vacant(slot) = seen.entry(name) {
                    slot.insert((!gone).then_some(Node { stat, part: at }));
                }
            }
        }
        Ok(seen.into_iter().filter_map(|(name, node)| Some((name, node?))).collect())
    }

    /// The file `name`, for reading. What is no file blocks nobody, whatever it has become since it was looked at.
    pub(crate) fn open(&self, name: &[u8], node: Node) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        openat(&self.parts[node.part].handle, name, flags, Mode::empty())
    }

    pub(crate) fn link_target(&self, name: &[u8], node: Node) -> Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.parts[node.part].handle, name, Vec::new())?.into_bytes())
    }

    pub(crate) fn xattrs(&self, name: &[u8], node: Node) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        files::xattrs(&files::proc_path(&self.parts[node.part].handle, name), false)
    }

    /// The directory at `path`, links not followed; `None` if there is none.
    pub(crate) fn descend(&self, path: &[u8]) -> Result<Option<Self>> {
        let mut here = self.again()?;
        for name in crate::path::parts(path) {
            match here.look(name)? {
                Some(node) if is_directory(&node.stat) => here = here.enter(name, node)?,
                _ => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// The same directory once more.
    pub(crate) fn again(&self) -> Result<Self> {
        let again =
            |part: &Part| Ok(Part { handle: openat(&part.handle, ".", DIRECTORY, Mode::empty())?, marks: part.marks });
        Ok(Self { parts: self.parts.iter().map(again).collect::<Result<_>>()? })
    }
}

fn look(part: &Part, name: &[u8]) -> Result<Look> {
    match part.marks {
        Some(marks) => marks.look(&part.handle, name),
        None => Ok(files::stat(&part.handle, name)?.map_or(Look::Absent, Look::There)),
    }
}
