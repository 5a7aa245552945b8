//! Laying an archive out beneath a directory.
//!
//! Each entry is applied relative to the handle of its parent directory. Parents are found beneath the root's handle
//! and nowhere else: see [`place`]. What an archive leaves unsaid of a layer (its implied directories, the targets of
//! hard links that lie in a lower layer) is taken from the layers beneath at the end, since a saved image may hold a
//! layer before its parent.

mod attributes;
mod content;
mod place;

use crate::error::{Error, Result};
use crate::files::{self, file_type, is_directory, shown};
use crate::path::split;
use crate::remove::remove_tree;
use crate::tar::{ArchiveError, Entry, Kind, Reader, Time};
use crate::tree::Tree;
use crate::whiteout::{self, Marks};
use attributes::Target;
use place::{Places, cleaned};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, linkat, makedev, mknodat, openat, symlinkat, unlinkat};
use rustix::io::Errno;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

/// What lies in an unpacked archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes in files.
    pub files: u64,
    /// Bytes in the targets of symbolic links.
    pub links: u64,
}

/// Lays `archive` (compressed or not) out beneath `directory`: no entry reaches anything else. Names of whiteouts are
/// names like any other.
///
/// # Errors
/// `Archive`, `Source`, `Full`, `Io`. What was laid out until then stays.
pub fn unpack_into(directory: &Path, archive: impl Read + Send) -> Result<Totals> {
    let root = files::open_root(directory).map_err(|error| Error::io("opening", directory, error))?;
    let mut reader = Reader::new(crate::Compression::open(archive)?);
    let mut unpacker = Unpacker::new(root, None);
    unpacker.run(&mut reader)?;
    reader.finish()?;
    unpacker.finish(&Tree::default())
}

/// Hard links to what is not in the archive wait for the end; more bytes of names than this are refused.
const MOST_DEFERRED: usize = 16 << 20;

/// Applies entries.
pub(crate) struct Unpacker {
    places: Places,
    marks: Option<Marks>,
    /// Directories with their time, which each entry in them would change.
    directories: Vec<(Vec<u8>, Time)>,
    /// Hard links whose target lies beneath this layer: target, and the link's own path.
    deferred: Vec<(Vec<u8>, Vec<u8>)>,
    deferred_bytes: usize,
    root_described: bool,
    totals: Totals,
}

impl Unpacker {
    /// Works in `root`. `marks`: the archive is a layer's, and its whiteouts are written so; else their names have no
    /// meaning.
    pub(crate) fn new(root: OwnedFd, marks: Option<Marks>) -> Self {
        Self {
            places: Places::new(root, marks),
            marks,
            directories: Vec::new(),
            deferred: Vec::new(),
            deferred_bytes: 0,
            root_described: false,
            totals: Totals::default(),
        }
    }

    /// Applies all entries of an archive.
    pub(crate) fn run<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<()> {
        while let Some(entry) = reader.next_entry()? {
            self.apply(&entry, reader)?;
        }
        Ok(())
    }

    /// Applies one entry, whose stored content `content` gives.
    pub(crate) fn apply(&mut self, entry: &Entry, content: &mut impl BufRead) -> Result<()> {
        let path = cleaned(&entry.path)?;
        let (parent, name) = split(&path);
        if name.is_empty() {
            return self.root(entry);
        }
        if let Some(marks) = self.marks.filter(|_| name.starts_with(whiteout::PREFIX)) {
            return self.mark(marks, &path, parent, name);
        }
        let failed = |error| refused(&entry.path, error);
        let parent = self.places.directory(parent, true).map_err(failed)?;
        match &entry.kind {
            Kind::File => self.file(entry, &parent, name, content),
            Kind::Directory => {
                self.directory(&parent, name)
                    .and_then(|made| attributes::set(Target::Open(&made), entry))
                    .map_err(failed)?;
                self.places.described(&path);
                self.directories.push((path, entry.modified));
                Ok(())
            }
            Kind::HardLink(target) => self.hard_link(entry, &cleaned(target)?, &path, &parent, name),
            Kind::Symlink(target) => {
                self.totals.links += target.len() as u64;
                self.make(&parent, name, || symlinkat(&target[..], &parent, name)).map_err(failed)?;
                attributes::set(Target::Named(&parent, name), entry).map_err(failed)
            }
            Kind::Fifo => self.node(entry, &parent, name, FileType::Fifo, 0),
            Kind::Block(major, minor) => {
                self.node(entry, &parent, name, FileType::BlockDevice, makedev(*major, *minor))
            }
            // As overlayfs writes a whiteout: no container can make one, and in a layer it would be no device.
            Kind::Character(0, 0) => Err(ArchiveError::entry(&entry.path, "a device that the kernel reserves").into()),
            Kind::Character(major, minor) => {
                self.node(entry, &parent, name, FileType::CharacterDevice, makedev(*major, *minor))
            }
        }
    }

    fn root(&mut self, entry: &Entry) -> Result<()> {
        if entry.kind != Kind::Directory {
            return Err(ArchiveError::entry(&entry.path, "the root is a directory").into());
        }
        self.root_described = true;
        self.directories.push((Vec::new(), entry.modified));
        attributes::set(Target::Open(self.places.root()), entry).map_err(|error| refused(&entry.path, error))
    }

    /// An entry that says what is gone.
    fn mark(&mut self, marks: Marks, path: &[u8], parent: &[u8], name: &[u8]) -> Result<()> {
        let failed = |error| refused(path, error);
        if name == whiteout::OPAQUE {
            let directory = self.places.directory(parent, true).map_err(failed)?;
            return marks.make_opaque(&*directory).map_err(failed);
        }
        if name.starts_with(whiteout::META) {
            return Ok(());
        }
        let gone = &name[whiteout::PREFIX.len()..];
        if matches!(gone, b"" | b"." | b"..") {
            return Err(ArchiveError::entry(path, "a whiteout of nothing").into());
        }
        let directory = self.places.directory(parent, true).map_err(failed)?;
        self.clear(&directory, gone).map_err(failed)?;
        marks.whiteout(&*directory, gone).map_err(failed)
    }

    /// Makes what is not there yet; what is there in its place goes first.
    fn make<T>(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        if self.marks == Some(Marks::Files) {
            place::unmark(parent, name)?;
        }
        match make() {
            Err(Errno::EXIST) => {
                self.clear(parent, name)?;
                make()
            }
            result => result,
        }
    }

    /// Removes what an earlier entry put there.
    fn clear(&mut self, parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        if self.marks == Some(Marks::Files) {
            place::unmark(parent, name)?;
        }
        match unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {
                // Handles of what lies in it would still be good, and lead nowhere.
                self.places.forget();
                remove_tree(parent, name).map_err(|error| match error {
                    Error::Io { source, .. } => Errno::from_io_error(&source).unwrap_or(Errno::IO),
                    _ => Errno::IO,
                })
            }
            Err(error) => Err(error),
        }
    }

    fn file(&mut self, entry: &Entry, parent: &OwnedFd, name: &[u8], stored: &mut impl BufRead) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |error| refused(&entry.path, error);
        let file = self.make(parent, name, || openat(parent, name, flags, Mode::RUSR | Mode::WUSR)).map_err(failed)?;
        content::write(&file, entry, stored)?;
        self.totals.files += entry.size;
        attributes::set(Target::Open(&file), entry).map_err(failed)
    }

    /// The directory `name`, made if it is not there. One that takes the place of something else in this layer hides
    /// what lies beneath, as that did.
    fn directory(&mut self, parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
        if let Some(stat) = files::stat(parent, name)?
            && is_directory(&stat)
        {
            return files::open_directory(parent, name);
        }
        place::make_directory(parent, name, self.marks)
    }

    fn node(&mut self, entry: &Entry, parent: &OwnedFd, name: &[u8], kind: FileType, device: u64) -> Result<()> {
        let failed = |error| refused(&entry.path, error);
        self.make(parent, name, || mknodat(parent, name, kind, Mode::empty(), device)).map_err(failed)?;
        attributes::set(Target::Named(parent, name), entry).map_err(failed)
    }

    fn hard_link(&mut self, entry: &Entry, target: &[u8], path: &[u8], parent: &OwnedFd, name: &[u8]) -> Result<()> {
        let failed = |error| refused(&entry.path, error);
        if self.link(target, parent, name).map_err(failed)? {
            return Ok(());
        }
        if self.marks.is_none() {
            return Err(ArchiveError::entry(&entry.path, "a link to nothing").into());
        }
        self.deferred_bytes += target.len() + path.len();
        if self.deferred_bytes > MOST_DEFERRED {
            return Err(ArchiveError::entry(&entry.path, "too many links to what is not in the archive").into());
        }
        self.clear(parent, name).map_err(failed)?;
        self.deferred.push((target.to_vec(), path.to_vec()));
        Ok(())
    }

    /// Links `name` to `target`; false if that is not in this tree.
    fn link(&mut self, target: &[u8], parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<bool> {
        let (target_parent, target_name) = split(target);
        if target_name.is_empty() {
            return Err(Errno::ISDIR);
        }
        let from = match self.places.directory(target_parent, false) {
            Err(Errno::NOENT) => return Ok(false),
            result => result?,
        };
        let Some(there) = files::stat(&*from, target_name)? else { return Ok(false) };
        if is_directory(&there) {
            return Err(Errno::ISDIR);
        }
        if file_type(&there) == FileType::CharacterDevice && there.st_rdev == 0 {
            return Ok(false);
        }
        if files::stat(parent, name)?.is_some_and(|here| (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)) {
            return Ok(true);
        }
        self.make(parent, name, || linkat(&*from, target_name, parent, name, AtFlags::empty()))?;
        Ok(true)
    }

    /// Whether more is to be taken from beneath than the root's attributes.
    pub(crate) fn asks_below(&self) -> bool {
        !self.deferred.is_empty() || self.places.has_implied()
    }

    /// Takes from `lower`, the tree beneath, what the archive left unsaid, and sets the directories' times.
    pub(crate) fn finish(mut self, lower: &Tree) -> Result<Totals> {
        for (target, path) in std::mem::take(&mut self.deferred) {
            self.link_to_lower(lower, &target, &path)?;
        }
        for path in self.places.take_implied() {
            if let Some(entry) = described_by(lower, &path)? {
                let directory = self.places.directory(&path, false).map_err(|error| refused(&path, error))?;
                attributes::set(Target::Open(&directory), &entry).map_err(|error| refused(&path, error))?;
                self.directories.push((path, entry.modified));
            }
        }
        if let (false, Some(entry)) = (self.root_described, described_by(lower, b"")?) {
            attributes::set(Target::Open(self.places.root()), &entry).map_err(|error| refused(b"/", error))?;
            self.directories.push((Vec::new(), entry.modified));
        }
        for (path, time) in self.directories.iter().rev() {
            // One that another entry replaced since is no directory any more.
            if let Ok(directory) = self.places.directory(path, false) {
                attributes::set_time(&directory, *time).map_err(|error| refused(path, error))?;
            }
        }
        Ok(self.totals)
    }

    /// A hard link to a file beneath: it is copied up to where it lies, so that both names are one file again.
    fn link_to_lower(&mut self, lower: &Tree, target: &[u8], path: &[u8]) -> Result<()> {
        let failed = |error| refused(path, error);
        let (parent, name) = split(path);
        let parent = self.places.directory(parent, true).map_err(failed)?;
        let (target_parent, target_name) = split(target);
        if !self.link(target, &parent, name).map_err(failed)? {
            let found = lower.descend(target_parent).and_then(|tree| match tree {
                Some(tree) => Ok(tree.look(target_name)?.map(|node| (tree, node))),
                None => Ok(None),
            });
            let Some((tree, node)) = found.map_err(failed)? else {
                return Err(ArchiveError::entry(path, "a link to nothing").into());
            };
            if file_type(&node.stat) != FileType::RegularFile {
                return Err(ArchiveError::entry(path, "a link to what is no file beneath the layer").into());
            }
            let file = std::fs::File::from(tree.open(target_name, node).map_err(failed)?);
            let size = u64::try_from(node.stat.st_size).unwrap_or(0);
            let xattrs = tree.xattrs(target_name, node).map_err(failed)?;
            let entry = Entry { size, xattrs, ..attributes::described(target, Kind::File, &node.stat) };
            let directory = self.places.directory(target_parent, true).map_err(failed)?;
            self.file(&entry, &directory, target_name, &mut BufReader::with_capacity(256 * 1024, file.take(size)))?;
            self.link(target, &parent, name).map_err(failed)?;
        }
        Ok(())
    }
}

/// The directory at `path` as an entry; `None` if the tree has none.
fn described_by(tree: &Tree, path: &[u8]) -> Result<Option<Entry>> {
    let failed = |error| Error::io("looking at", shown(path), error);
    let Some(tree) = tree.descend(path).map_err(failed)? else { return Ok(None) };
    let Some(stat) = tree.own().map_err(failed)? else { return Ok(None) };
    let xattrs = tree.own_xattrs().map_err(failed)?;
    Ok(Some(Entry { xattrs, ..attributes::described(path, Kind::Directory, &stat) }))
}

/// What the kernel says of an entry's path is the archive's fault, what it says of the disk is not.
fn refused(path: &[u8], error: Errno) -> Error {
    let reason = match error {
        Errno::XDEV => return ArchiveError::Escapes(String::from_utf8_lossy(path).into_owned()).into(),
        Errno::NAMETOOLONG => "a name that is too long",
        Errno::NOTDIR => "its parent is no directory",
        Errno::ISDIR => "a hard link to a directory",
        Errno::LOOP => "too many symbolic links on its way",
        Errno::NOENT => "a link to nothing",
        Errno::MLINK => "too many hard links",
        Errno::INVAL => "what it says makes no sense",
        _ => return Error::io("writing", shown(path), error),
    };
    ArchiveError::entry(path, reason).into()
}
