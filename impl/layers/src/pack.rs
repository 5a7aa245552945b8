//! Writing trees as archives.

use crate::error::{Error, Result};
use crate::files::{self, file_type, shown};
use crate::path::{join, split};
use crate::tar::{Entry, Extent, Kind, Time, Writer};
use crate::tree::{Node, Tree};
use crate::whiteout::{self, Marks};
use rustix::fs::{FileType, SeekFrom, Stat, major, minor, seek};
use rustix::io::Errno;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file or directory of the host that is seen at a path of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graft {
    /// Absolute path in the container.
    pub at: PathBuf,
    /// File or directory on the host.
    pub source: PathBuf,
}

/// Writes the directory `from` as an archive, names relative to it.
///
/// # Errors
/// `Io`, `Sink`.
pub fn pack_directory(from: &Path, to: &mut dyn Write) -> Result<()> {
    let handle = files::open_root(from).map_err(|error| Error::io("opening", from, error))?;
    let mut packer = Packer::new(to);
    packer.root(&Tree::plain(handle))?;
    packer.finish()
}

/// Paths longer than this are refused: each level holds handles.
const LONGEST_PATH: usize = 4096;

const BUFFER: usize = 256 * 1024;

/// Writes entries of trees into an archive.
pub(crate) struct Packer<'a> {
    writer: Writer<&'a mut dyn Write>,
    /// Names of files that have several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    buffer: Vec<u8>,
    contents: Contents,
    grafts: Vec<Graft>,
    /// What is packed is a layer: these marks on its disk become those of archives.
    marks: Option<Marks>,
}

/// What becomes of the contents of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// They are read and written.
    Written,
    /// Only their length matters: that many bytes were left out of the archive so far.
    LeftOut(u64),
}

impl<'a> Packer<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Self {
            writer: Writer::new(to),
            links: HashMap::new(),
            buffer: Vec::new(),
            contents: Contents::Written,
            grafts: Vec::new(),
            marks: None,
        }
    }

    /// What lies at `grafts` is seen instead of what the tree has there.
    pub(crate) fn with_grafts(self, grafts: Vec<Graft>) -> Self {
        Self { grafts, ..self }
    }

    /// What is packed is a layer alone, marked so.
    pub(crate) fn with_marks(self, marks: Marks) -> Self {
        Self { marks: Some(marks), ..self }
    }

    /// Counts the bytes of a layer's archive that `write` writes, without reading a file.
    pub(crate) fn length(marks: Marks, write: impl FnOnce(&mut Packer<'_>) -> Result<()>) -> Result<u64> {
        let mut counter = Counter(0);
        let mut packer = Packer { contents: Contents::LeftOut(0), ..Packer::new(&mut counter).with_marks(marks) };
        write(&mut packer)?;
        let left_out = match packer.contents {
            Contents::Written => 0,
            Contents::LeftOut(count) => count,
        };
        packer.finish()?;
        Ok(counter.0 + left_out)
    }

    /// The root's content; the root itself only if it is not as any directory is.
    pub(crate) fn root(&mut self, tree: &Tree) -> Result<()> {
        if let Some(stat) = tree.own().map_err(|error| Error::io("looking at", "/", error))? {
            let xattrs = tree.own_xattrs().map_err(|error| Error::io("reading attributes of", "/", error))?;
            if stat.st_mode & 0o7777 != 0o755 || (stat.st_uid, stat.st_gid) != (0, 0) || !xattrs.is_empty() {
                self.header(&Entry { xattrs, ..described(b"./".to_vec(), Kind::Directory, &stat) })?;
            }
        }
        self.directory(tree, &mut Vec::new())
    }

    /// The root's content beneath a directory that is called `name`.
    pub(crate) fn named_root(&mut self, tree: &Tree, name: &[u8]) -> Result<()> {
        let mut path = [name, b"/"].concat();
        if let Some(stat) = tree.own().map_err(|error| Error::io("looking at", "/", error))? {
            let xattrs = tree.own_xattrs().map_err(|error| Error::io("reading attributes of", "/", error))?;
            self.header(&Entry { xattrs, ..described(path.clone(), Kind::Directory, &stat) })?;
        }
        self.directory(tree, &mut path)
    }

    fn directory(&mut self, tree: &Tree, path: &mut Vec<u8>) -> Result<()> {
        // The other marks are files, and lie there as archives want them.
        if let (Some(Marks::Overlay), Some(top)) = (self.marks, tree.top()) {
            let opaque = Marks::Overlay.is_opaque(top).map_err(|error| Error::io("reading", shown(path), error))?;
            if opaque {
                let path = [&path[..], whiteout::OPAQUE].concat();
                self.header(&Entry { mode: 0, ..Entry::new(path, Kind::File) })?;
            }
        }
        let list = tree.list().map_err(|error| Error::io("listing", shown(path), error))?;
        for (name, node) in list {
            self.node(tree, &name, node, path, &name)?;
        }
        Ok(())
    }

    /// What is at `name` with all that is in it, called `called`. `path` is its parent's, empty or with a slash at the
    /// end, and comes back as it was.
    pub(crate) fn node(
        &mut self,
        tree: &Tree,
        name: &[u8],
        node: Node,
        path: &mut Vec<u8>,
        called: &[u8],
    ) -> Result<()> {
        let parent = path.len();
        path.extend_from_slice(called);
        if let Some(at) = self.grafts.iter().position(|graft| graft.at == shown(path)) {
            let graft = self.grafts.swap_remove(at);
            path.truncate(parent);
            return self.graft(&graft, path, called);
        }
        if self.entry(tree, name, node, path)? {
            path.push(b'/');
            if path.len() > LONGEST_PATH {
                return Err(Error::io("descending into", shown(path), Errno::NAMETOOLONG));
            }
            match tree.enter(name, node) {
                Ok(inner) => self.directory(&inner, path)?,
                // Gone since it was listed.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(Error::io("opening", shown(path), error)),
            }
        }
        path.truncate(parent);
        Ok(())
    }

    fn graft(&mut self, graft: &Graft, path: &mut Vec<u8>, called: &[u8]) -> Result<()> {
        let failed = |error| Error::io("opening", &graft.source, error);
        let (Some(parent), Some(name)) = (graft.source.parent(), graft.source.file_name()) else {
            return Err(failed(Errno::INVAL));
        };
        let tree = Tree::plain(files::open_root(parent).map_err(failed)?);
        let node = tree.look(name.as_bytes()).map_err(failed)?.ok_or_else(|| failed(Errno::NOENT))?;
        self.node(&tree, name.as_bytes(), node, path, called)
    }

    /// Writes the entry alone. Whether it is a directory.
    pub(crate) fn entry(&mut self, tree: &Tree, name: &[u8], node: Node, path: &[u8]) -> Result<bool> {
        let failed = |error| Error::io("reading", shown(path), error);
        let stat = &node.stat;
        let kind = match file_type(stat) {
            FileType::RegularFile => return self.file(tree, name, node, path).map(|()| false),
            FileType::Directory => Kind::Directory,
            FileType::Symlink => match tree.link_target(name, node) {
                Ok(target) => Kind::Symlink(target),
                Err(Errno::NOENT) => return Ok(false),
                Err(error) => return Err(failed(error)),
            },
            FileType::CharacterDevice if self.marks.is_some() && stat.st_rdev == 0 => {
                let (parent, name) = split(path);
                let mark = join(parent, &[whiteout::PREFIX, name].concat());
                return self.header(&Entry { mode: 0, ..Entry::new(mark, Kind::File) }).map(|()| false);
            }
            FileType::CharacterDevice => Kind::Character(major(stat.st_rdev), minor(stat.st_rdev)),
            FileType::BlockDevice => Kind::Block(major(stat.st_rdev), minor(stat.st_rdev)),
            FileType::Fifo => Kind::Fifo,
            // An archive has no word for a socket, and no use.
            _ => return Ok(false),
        };
        let directory = kind == Kind::Directory;
        let named = if directory { [path, b"/"].concat() } else { path.to_vec() };
        let kind = if directory { kind } else { self.linked(stat, path).map_or(kind, Kind::HardLink) };
        let xattrs = match tree.xattrs(name, node) {
            Err(Errno::NOENT) => return Ok(false),
            result => result.map_err(failed)?,
        };
        self.header(&Entry { xattrs, ..described(named, kind, stat) })?;
        Ok(directory)
    }

    fn file(&mut self, tree: &Tree, name: &[u8], node: Node, path: &[u8]) -> Result<()> {
        let failed = |error| Error::io("reading", shown(path), error);
        let stat = &node.stat;
        if let Some(first) = self.linked(stat, path) {
            return self.header(&described(path.to_vec(), Kind::HardLink(first), stat));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let has_holes = u64::try_from(stat.st_blocks).unwrap_or(0) * 512 < size;
        let written = self.contents == Contents::Written;
        let opened = match tree.open(name, node) {
            _ if !written && !has_holes => None,
            Ok(file) => Some(file),
            // Gone, or something else, since it was looked at.
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let xattrs = match tree.xattrs(name, node) {
            Err(Errno::NOENT) => return Ok(()),
            result => result.map_err(failed)?,
        };
        let extents = match &opened {
            Some(file) if has_holes => data(file, size).map_err(failed)?,
            _ => None,
        };
        self.header(&Entry { xattrs, size, extents: extents.clone(), ..described(path.to_vec(), Kind::File, stat) })?;
        match (&mut self.contents, opened) {
            (Contents::Written, Some(file)) => {
                for extent in extents.unwrap_or_else(|| vec![Extent { offset: 0, length: size }]) {
                    self.content(&file, extent, path)?;
                }
            }
            (Contents::LeftOut(count), _) => *count += self.writer.leave_out(),
            (Contents::Written, None) => {}
        }
        Ok(())
    }

    /// Copies a piece of a file. What it lacks by now is zeros: the header has promised it.
    fn content(&mut self, file: &OwnedFd, extent: Extent, path: &[u8]) -> Result<()> {
        self.buffer.resize(BUFFER, 0);
        let (mut at, end) = (extent.offset, extent.offset + extent.length);
        while at < end {
            let room = BUFFER.min(usize::try_from(end - at).unwrap_or(BUFFER));
            let read = loop {
                match rustix::io::pread(file, &mut self.buffer[..room], at) {
                    Err(Errno::INTR) => {}
                    result => break result.map_err(|error| Error::io("reading", shown(path), error))?,
                }
            };
            let read = if read == 0 {
                self.buffer[..room].fill(0);
                room
            } else {
                read
            };
            self.writer.content(&self.buffer[..read]).map_err(Error::Sink)?;
            at += read as u64;
        }
        Ok(())
    }

    /// The first name of a file that was written before; else remembers this one.
    fn linked(&mut self, stat: &Stat, path: &[u8]) -> Option<Vec<u8>> {
        if stat.st_nlink < 2 {
            return None;
        }
        match self.links.entry((stat.st_dev, stat.st_ino)) {
            Slot::Occupied(first) => Some(first.get().clone()),
            Slot::Vacant(slot) => {
                slot.insert(path.to_vec());
                None
            }
        }
    }

    /// Writes an entry that has no content.
    pub(crate) fn header(&mut self, entry: &Entry) -> Result<()> {
        self.writer.entry(entry).map_err(Error::Sink)
    }

    /// Ends the archive.
    pub(crate) fn finish(self) -> Result<()> {
        let to = self.writer.finish().map_err(Error::Sink)?;
        to.flush().map_err(Error::Sink)
    }
}

fn described(path: Vec<u8>, kind: Kind, stat: &Stat) -> Entry {
    let modified = Time { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    Entry { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, modified, ..Entry::new(path, kind) }
}

/// Where a file has data; `None` when the disk tells of no hole.
fn data(file: &OwnedFd, size: u64) -> rustix::io::Result<Option<Vec<Extent>>> {
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let offset = match seek(file, SeekFrom::Data(at)) {
            Ok(offset) => offset.min(size),
            // Nothing but a hole from here on.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return Ok(None),
            Err(error) => return Err(error),
        };
        let end = seek(file, SeekFrom::Hole(offset))?.min(size);
        if end > offset {
            extents.push(Extent { offset, length: end - offset });
        }
        at = end.max(offset + 1);
    }
    let whole = matches!(extents[..], [Extent { offset: 0, length }] if length == size);
    Ok((!whole).then_some(extents))
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
