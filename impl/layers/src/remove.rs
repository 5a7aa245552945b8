//! Removing trees, as fast as `rm -rf`.

use crate::error::{Error, Result};
use crate::files::{names, open_directory, shown};
use rustix::fs::{AtFlags, FileType, unlinkat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// Removes `name` and all that is in it; nothing there is fine. Links are removed, not followed. However deep the tree
/// is, neither the stack nor the number of open files grows with it.
pub(crate) fn remove_tree(parent: impl AsFd, name: &[u8]) -> Result<()> {
    let failed = |name: &[u8], error: Errno| Error::io("removing", shown(name), error);
    match unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(failed(name, error)),
    }
    let root = open_directory(&parent, name).map_err(|error| failed(name, error))?;
    // Each directory on the way down with what is still to be removed in it. Beyond MOST_OPEN the upper handles are
    // closed, and opened again by way of `..` on the way up.
    let mut open: Vec<OwnedFd> = vec![root];
    let mut closed = 0_usize;
    let mut todo: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
    let mut directories = empty(&open[0]).map_err(|error| failed(name, error))?;
    loop {
        if let Some(next) = directories.pop() {
            let here = open.last().ok_or_else(|| failed(name, Errno::INVAL))?;
            let inner = open_directory(here, &next).map_err(|error| failed(&next, error))?;
            let further = empty(&inner).map_err(|error| failed(&next, error))?;
            todo.push((next, std::mem::replace(&mut directories, further)));
            open.push(inner);
            if open.len() > MOST_OPEN {
                open.remove(0);
                closed += 1;
            }
            continue;
        }
        let Some((done, left)) = todo.pop() else { break };
        let gone = open.pop().ok_or_else(|| failed(name, Errno::INVAL))?;
        if open.is_empty() && closed > 0 {
            open.push(open_directory(&gone, b"..").map_err(|error| failed(&done, error))?);
            closed -= 1;
        }
        drop(gone);
        let here = open.last().ok_or_else(|| failed(name, Errno::INVAL))?;
        remove_directory(here, &done).map_err(|error| failed(&done, error))?;
        directories = left;
    }
    remove_directory(&parent, name).map_err(|error| failed(name, error))
}

const MOST_OPEN: usize = 32;

fn remove_directory(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Removes all that is no directory; gives the names of those that are.
fn empty(directory: &OwnedFd) -> rustix::io::Result<Vec<Vec<u8>>> {
    let mut directories = Vec::new();
    for (name, kind) in names(directory)? {
        if kind == FileType::Directory {
            directories.push(name);
            continue;
        }
        match unlinkat(directory, &name[..], AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // A file system that tells no types.
            Err(Errno::ISDIR) => directories.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(directories)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::open_root;
    use std::fs;

    #[test]
    fn trees_wide_and_deep_go_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_root(dir.path()).unwrap();
        fs::write(dir.path().join("kept"), "x").unwrap();
        let mut deep = dir.path().join("tree");
        for depth in 0..120 {
            deep.push("d");
            fs::create_dir_all(&deep).unwrap();
            fs::create_dir(deep.join(format!("side{depth}"))).unwrap();
            std::os::unix::fs::symlink(dir.path(), deep.join("link")).unwrap();
        }
        remove_tree(&root, b"tree").unwrap();
        remove_tree(&root, b"tree").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
