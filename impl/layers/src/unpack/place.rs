//! Where an entry goes: the handle of its parent directory, found beneath the root and nowhere else.
//!
//! The kernel resolves a parent whose way stays beneath the root (`openat2` with `RESOLVE_BENEATH`). What it refuses,
//! a missing directory or an absolute link, is walked here part by part, each step from the handle of the one before,
//! with the root taken for `/`, as in a container. A way that climbs above the root is an error and no step.

use crate::files::{self, file_type, open_beneath, open_directory};
use crate::path::parts;
use crate::tar::ArchiveError;
use crate::whiteout::{self, Marks};
use rustix::fs::{AtFlags, FileType, Mode, mkdirat, readlinkat, unlinkat};
use rustix::io::{Errno, Result};
use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Longer paths are refused: the walk holds a handle for each level.
const LONGEST_PATH: usize = 4096;

/// Links on one way, as many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Directories beneath a root.
pub(super) struct Places {
    root: Arc<OwnedFd>,
    marks: Option<Marks>,
    /// The directory that was found last: archives list a directory's files together.
    last: Option<(Vec<u8>, Arc<OwnedFd>)>,
    /// Directories that were made though no entry spoke of them.
    implied: BTreeSet<Vec<u8>>,
}

impl Places {
    pub(super) fn new(root: OwnedFd, marks: Option<Marks>) -> Self {
        Self { root: Arc::new(root), marks, last: None, implied: BTreeSet::new() }
    }

    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// The directory at `path`. `make`: with its parents it is made where it is missing.
    ///
    /// `XDEV`: the way leads out.
    pub(super) fn directory(&mut self, path: &[u8], make: bool) -> Result<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        if let Some((last, handle)) = &self.last
            && last == path
        {
            return Ok(Arc::clone(handle));
        }
        let handle = match open_beneath(&*self.root, path) {
            Ok(handle) => handle,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP) => self.walk(path, make)?,
            Err(error) => return Err(error),
        };
        let handle = Arc::new(handle);
        self.last = Some((path.to_vec(), Arc::clone(&handle)));
        Ok(handle)
    }

    /// Forgets what was found: some of it is being removed.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// An entry spoke of the directory at `path`.
    pub(super) fn described(&mut self, path: &[u8]) {
        self.implied.remove(path);
    }

    pub(super) fn has_implied(&self) -> bool {
        !self.implied.is_empty()
    }

    /// Directories that were made though no entry spoke of them, parents first.
    pub(super) fn take_implied(&mut self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut self.implied)
    }

    fn walk(&mut self, path: &[u8], make: bool) -> Result<OwnedFd> {
        let mut way: Vec<(Vec<u8>, OwnedFd)> = Vec::new();
        let mut ahead: VecDeque<Vec<u8>> = parts(path).map(<[u8]>::to_vec).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == b".." {
                way.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            let here = way.last().map_or(&*self.root, |(_, handle)| handle);
            let marked = self.marks == Some(Marks::Overlay);
            let next = match files::stat(here, &name)? {
                Some(stat) => match file_type(&stat) {
                    FileType::Directory => open_directory(here, &name)?,
                    FileType::Symlink => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Errno::LOOP);
                        }
                        let target = readlinkat(here, &name[..], Vec::new())?.into_bytes();
                        if target.starts_with(b"/") {
                            way.clear();
                        }
                        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                            ahead.push_front(part.to_vec());
                        }
                        continue;
                    }
                    FileType::CharacterDevice if marked && stat.st_rdev == 0 => {
                        if !make {
                            return Err(Errno::NOENT);
                        }
                        self.implied.insert(joined(&way, &name));
                        make_directory(here, &name, self.marks)?
                    }
                    _ => return Err(Errno::NOTDIR),
                },
                None if make => {
                    self.implied.insert(joined(&way, &name));
                    make_directory(here, &name, self.marks)?
                }
                None => return Err(Errno::NOENT),
            };
            way.push((name, next));
        }
        match way.pop() {
            Some((_, handle)) => Ok(handle),
            None => self.root.try_clone().map_err(|_| Errno::MFILE),
        }
    }
}

fn joined(way: &[(Vec<u8>, OwnedFd)], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    for (part, _) in way {
        path.extend_from_slice(part);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Makes the directory `name`. One in the place of something else in its layer, a whiteout too, is opaque: what it
/// replaces hid what lies beneath.
pub(super) fn make_directory(parent: &OwnedFd, name: &[u8], marks: Option<Marks>) -> Result<OwnedFd> {
    let mut replaces = match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) => true,
        Err(Errno::NOENT) => false,
        Err(error) => return Err(error),
    };
    if marks == Some(Marks::Files) {
        replaces |= unmark(parent, name)?;
    }
    mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let made = open_directory(parent, name)?;
    // The process's umask does not count.
    rustix::fs::fchmod(&made, Mode::from_raw_mode(0o755))?;
    if let (true, Some(marks)) = (replaces, marks) {
        marks.make_opaque(&made)?;
    }
    Ok(made)
}

/// Removes the file that marks `name` as gone; whether there was one.
pub(super) fn unmark(parent: impl AsFd, name: &[u8]) -> Result<bool> {
    match unlinkat(parent, &[whiteout::PREFIX, name].concat()[..], AtFlags::empty()) {
        Ok(()) => Ok(true),
        // A name that leaves no room for a mark has none.
        Err(Errno::NOENT | Errno::NAMETOOLONG) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A path of an archive without what does not matter: relative, no empty part, no `.`, no `..`.
pub(super) fn cleaned(path: &[u8]) -> std::result::Result<Vec<u8>, ArchiveError> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in parts(path) {
        if part == b".." {
            kept.pop().ok_or_else(|| ArchiveError::Escapes(String::from_utf8_lossy(path).into_owned()))?;
        } else {
            kept.push(part);
        }
    }
    if path.len() > LONGEST_PATH {
        return Err(ArchiveError::entry(&path[..LONGEST_PATH], "a name that is too long"));
    }
    Ok(kept.join(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_and_those_that_climb_out_are_refused() {
        for (path, clean) in
            [("./a//b/", "a/b"), ("/a", "a"), ("a/../b", "b"), ("./", ""), ("/", ""), ("a/./b/..", "a")]
        {
            assert_eq!(cleaned(path.as_bytes()).unwrap(), clean.as_bytes());
        }
        for path in ["..", "../a", "a/../../b", "/../a"] {
            assert!(matches!(cleaned(path.as_bytes()), Err(ArchiveError::Escapes(_))), "{path}");
        }
    }
}
