//! A path of a container as an archive.

use crate::error::{Error, Result};
use crate::files::{self, file_type, shown};
use crate::pack::{Graft, Packer};
use crate::path::parts;
use crate::tree::{Node, Tree};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Links on one way, as many as the old daemons followed (`life/copy`, `/loop`).
const MOST_LINKS: usize = 255;

/// A path that was found, ready to be written as an archive.
#[derive(Debug)]
pub struct Copy {
    found: Found,
    /// As the archive calls what was found.
    name: Vec<u8>,
    /// Paths are those of the archive.
    grafts: Vec<Graft>,
}

#[derive(Debug)]
enum Found {
    /// A directory: itself and what is in it.
    Directory(Tree),
    /// Anything else: by its name in its directory.
    Other(Tree, Vec<u8>, Node),
}

impl Copy {
    pub(crate) fn find(root: Tree, path: &str, root_name: &str, grafts: &[Graft]) -> Result<Self> {
        let failed = |error| match error {
            Errno::LOOP => Error::PathLoop(path.to_owned()),
            Errno::NOENT | Errno::NOTDIR => Error::NoSuchPath(path.to_owned()),
            error => Error::io("looking for", shown(path.as_bytes()), error),
        };
        let (way, found) = walk(root, path.as_bytes(), grafts).map_err(failed)?;
        let name = way.last().cloned().unwrap_or_else(|| root_name.as_bytes().to_vec());
        let resolved = [b"/", &way.join(&b'/')[..]].concat();
        let beneath = |graft: &Graft| {
            let at = graft.at.strip_prefix(shown(&resolved)).ok().filter(|rest| !rest.as_os_str().is_empty())?;
            Some(Graft { at: PathBuf::from(shown(&name)).join(at), source: graft.source.clone() })
        };
        let grafts = grafts.iter().filter_map(beneath).collect();
        Ok(Self { found, name, grafts })
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        matches!(self.found, Found::Directory(_))
    }

    /// Writes it.
    ///
    /// # Errors
    /// `Io`, `Sink`.
    pub fn write(self, to: &mut dyn Write) -> Result<()> {
        let mut packer = Packer::new(to).with_grafts(self.grafts);
        match self.found {
            Found::Directory(tree) => packer.named_root(&tree, &self.name)?,
            Found::Other(tree, name, node) => {
                packer.node(&tree, &name, node, &mut Vec::new(), &self.name)?;
            }
        }
        packer.finish()
    }
}

/// Finds `path`, and the names on the way to it, links resolved.
fn walk(root: Tree, path: &[u8], grafts: &[Graft]) -> rustix::io::Result<(Vec<Vec<u8>>, Found)> {
    let mut way: Vec<(Vec<u8>, Tree)> = Vec::new();
    let mut ahead: VecDeque<Vec<u8>> = lexical(path).into_iter().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    let names = |way: &[(Vec<u8>, Tree)]| way.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    while let Some(name) = ahead.pop_front() {
        if name == b".." {
            way.pop();
            continue;
        }
        let mut all = names(&way);
        all.push(name.clone());
        let at = [b"/", &all.join(&b'/')[..]].concat();
        let grafted = match grafts.iter().find(|graft| graft.at == shown(&at)) {
            Some(graft) => Some(outside(graft)?),
            None => None,
        };
        let here = way.last().map_or(&root, |(_, tree)| tree);
        let (here, on_disk) = match &grafted {
            Some((tree, name)) => (tree, name),
            None => (here, &name),
        };
        let node = here.look(on_disk)?.ok_or(Errno::NOENT)?;
        match file_type(&node.stat) {
            FileType::Directory => {
                let inner = here.enter(on_disk, node)?;
                way.push((name, inner));
            }
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                let target = here.link_target(on_disk, node)?;
                if target.starts_with(b"/") {
                    way.clear();
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    ahead.push_front(part.to_vec());
                }
            }
            _ if ahead.is_empty() => return Ok((all, Found::Other(here.again()?, on_disk.clone(), node))),
            _ => return Err(Errno::NOTDIR),
        }
    }
    let all = names(&way);
    Ok((all, Found::Directory(way.pop().map_or(root, |(_, tree)| tree))))
}

/// The directory that holds a graft's source, and its name there.
fn outside(graft: &Graft) -> rustix::io::Result<(Tree, Vec<u8>)> {
    let (Some(parent), Some(name)) = (graft.source.parent(), graft.source.file_name()) else {
        return Err(Errno::INVAL);
    };
    Ok((Tree::plain(files::open_root(parent)?), name.as_bytes().to_vec()))
}

/// The parts of a path with `..` taken by the letter, as the old daemons do before they follow links; above the root
/// there is nothing.
pub(crate) fn lexical(path: &[u8]) -> Vec<&[u8]> {
    let mut kept = Vec::new();
    for part in parts(path) {
        if part == b".." {
            kept.pop();
        } else {
            kept.push(part);
        }
    }
    kept
}
