//! What a container changed in its image's files.

use crate::error::{Error, Result};
use crate::files::{file_type, is_directory, shown};
use crate::path::split;
use crate::tree::{Node, Part, Tree};
use crate::whiteout::Marks;
use rustix::fs::{FileType, Stat};
use std::collections::HashSet;

/// A changed path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Absolute, in the container. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path. The numbers are those of `GET /containers/(id)/changes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Content or attributes differ; for a directory also: something in it does.
    Modified = 0,
    /// It is new.
    Added = 1,
    /// It is gone.
    Deleted = 2,
}

/// Whether a directory whose modification time alone differs has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryTimes {
    /// It has, as 1.2.0 tells (`life/changes`, `/mnt`).
    Count,
    /// It has not, as all later ones tell.
    Ignored,
}

/// A changed path: without a slash at the beginning.
pub(crate) struct Found {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: ChangeKind,
    /// Bytes in it, if it is a file or link that was not counted before.
    pub(crate) size: u64,
}

/// Everything that `upper` changes in `lower`, sorted, directories before what is in them.
pub(crate) fn compare(upper: Part, lower: &Tree, times: DirectoryTimes) -> Result<Vec<Found>> {
    let marks = upper.marks;
    let mut comparison = Comparison { marks, times, found: Vec::new(), inodes: HashSet::new() };
    comparison.directory(&Tree::plain(upper.handle), Some(lower), marks.is_none(), &mut Vec::new())?;
    comparison.found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(comparison.found)
}

struct Comparison {
    /// Those of the upper directory; `None`: it holds everything, and what it lacks is gone.
    marks: Option<Marks>,
    times: DirectoryTimes,
    found: Vec<Found>,
    /// Files with several names that were counted.
    inodes: HashSet<(u64, u64)>,
}

impl Comparison {
    /// What differs in one directory. `hides`: of `lower` nothing shows through.
    fn directory(&mut self, upper: &Tree, lower: Option<&Tree>, hides: bool, path: &mut Vec<u8>) -> Result<()> {
        let failed = |path: &[u8], error| Error::io("comparing", shown(path), error);
        let mut here = HashSet::new();
        for (on_disk, node) in upper.list().map_err(|error| failed(path, error))? {
            let meaning = match self.marks {
                Some(marks) => marks.meaning(&on_disk, &node.stat),
                None => Some((on_disk.clone(), false)),
            };
            let Some((name, gone)) = meaning else { continue };
            let below = match lower {
                Some(lower) => lower.look(&name).map_err(|error| failed(path, error))?,
                None => None,
            };
            let parent = path.len();
            path.extend_from_slice(&name);
            if !gone {
                self.node(upper, &on_disk, node, lower, below, path)?;
            } else if below.is_some() {
                self.note(path, ChangeKind::Deleted, None);
            }
            path.truncate(parent);
            if hides {
                here.insert(name);
            }
        }
        if let (true, Some(lower)) = (hides, lower) {
            for (name, _) in lower.list().map_err(|error| failed(path, error))? {
                if !here.contains(&name) {
                    self.note(&[path, &name[..]].concat(), ChangeKind::Deleted, None);
                }
            }
        }
        Ok(())
    }

    fn node(
        &mut self,
        upper: &Tree,
        name: &[u8],
        node: Node,
        lower: Option<&Tree>,
        below: Option<Node>,
        path: &mut Vec<u8>,
    ) -> Result<()> {
        let failed = |error| Error::io("comparing", shown(path), error);
        if file_type(&node.stat) == FileType::Socket {
            return Ok(());
        }
        let kind = match (lower, below) {
            (Some(lower), Some(below)) => self
                .differs((upper, name, node), (lower, split(path).1, below))
                .map_err(failed)?
                .then_some(ChangeKind::Modified),
            _ => Some(ChangeKind::Added),
        };
        if let Some(kind) = kind {
            self.note(path, kind, Some(&node.stat));
        }
        if !is_directory(&node.stat) {
            return Ok(());
        }
        let inner = upper.enter(name, node).map_err(failed)?;
        let inner_lower = match (lower, below) {
            (Some(lower), Some(below)) if is_directory(&below.stat) => {
                Some(lower.enter(split(path).1, below).map_err(failed)?)
            }
            _ => None,
        };
        let hides = match self.marks {
            Some(marks) => inner.is_opaque(marks).map_err(failed)?,
            None => true,
        };
        let (own, before) = (path.len(), self.found.len());
        path.push(b'/');
        self.directory(&inner, inner_lower.as_ref(), hides, path)?;
        path.truncate(own);
        if kind.is_none() && self.found.len() > before {
            self.note(path, ChangeKind::Modified, None);
        }
        Ok(())
    }

    fn note(&mut self, path: &[u8], kind: ChangeKind, stat: Option<&Stat>) {
        let size = match stat {
            Some(stat) if !is_directory(stat) => {
                let first = stat.st_nlink < 2 || self.inodes.insert((stat.st_dev, stat.st_ino));
                if first { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 }
            }
            _ => 0,
        };
        self.found.push(Found { path: path.to_vec(), kind, size });
    }

    /// Whether what is seen at a name differs from what lies below, by all that a status tells, and capabilities.
    fn differs(&self, upper: (&Tree, &[u8], Node), lower: (&Tree, &[u8], Node)) -> rustix::io::Result<bool> {
        let (a, b) = (&upper.2.stat, &lower.2.stat);
        let time = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec);
        let timed = !is_directory(a) || self.times == DirectoryTimes::Count;
        let differs = (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev)
            || (!is_directory(a) && a.st_size != b.st_size)
            || (timed && time(a) != time(b));
        if differs || (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) || file_type(a) != FileType::RegularFile {
            return Ok(differs);
        }
        Ok(upper.0.capability(upper.1, upper.2)? != lower.0.capability(lower.1, lower.2)?)
    }
}

impl Tree {
    fn is_opaque(&self, marks: Marks) -> rustix::io::Result<bool> {
        self.top().map_or(Ok(false), |handle| marks.is_opaque(handle))
    }

    fn capability(&self, name: &[u8], node: Node) -> rustix::io::Result<Option<Vec<u8>>> {
        let all = self.xattrs(name, node)?;
        Ok(all.into_iter().find(|(name, _)| name == b"security.capability").map(|(_, value)| value))
    }
}
