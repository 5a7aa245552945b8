//! Paths in a container, which never lead out of it.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// What is made where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    Directory,
    File,
}

/// Links that are followed while making what they point to.
const MAX_LINKS: u32 = 16;

const MODE: Mode = Mode::from_raw_mode(0o755);

/// Opens a path as a place (`O_PATH`). Symbolic links are the container's own; links of `/proc`, which could lead
/// anywhere, are refused.
pub(super) fn open(root: impl AsFd, path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// As [`open`], and what is missing is made, directories on the way too. A link to nowhere is followed, and what it
/// points to is made.
pub(super) fn open_or_make(root: impl AsFd, path: &Path, make: Make) -> Result<OwnedFd, Errno> {
    let root = root.as_fd();
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match open(root, &path) {
            Err(Errno::NOENT) => {}
            result => return result,
        }
        let path_above = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let name = path.file_name().ok_or(Errno::NOENT)?.to_owned();
        let above = open_or_make(root, &path_above, Make::Directory)?;
        match make_one(&above, &name, make) {
            Err(Errno::EXIST) => {}
            Ok(()) => continue,
            Err(errno) => return Err(errno),
        }
        let link = readlinkat(&above, &name, Vec::new())?;
        path = path_above.join(OsStr::from_bytes(link.as_bytes()));
    }
    Err(Errno::LOOP)
}

/// Opens the directory above a path, made if missing, and gives the last name: where a node is to be made.
pub(super) fn open_above(root: impl AsFd, path: &Path) -> Result<(OwnedFd, &OsStr), Errno> {
    let name = path.file_name().ok_or(Errno::INVAL)?;
    let above = open_or_make(root, path.parent().unwrap_or(Path::new("/")), Make::Directory)?;
    Ok((above, name))
}

/// A path without `.` and `..`, as text: for checks, not for opening.
pub(super) fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::from("/"), |mut normal, component| {
        match component {
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => drop(normal.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
        normal
    })
}

/// Whether a path of the host is a directory.
pub(super) fn is_directory(path: impl AsFd) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(path, "", AtFlags::EMPTY_PATH)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}

/// Opens a directory of the host as a place.
pub(super) fn open_host(path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn make_one(above: impl AsFd, name: &OsStr, make: Make) -> Result<(), Errno> {
    match make {
        Make::Directory => mkdirat(above, name, MODE),
        Make::File => {
            openat(above, name, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC, MODE).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_lead_to_places_inside_and_what_they_point_to_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_host(dir.path()).unwrap();
        symlink("/../../outside/deep", dir.path().join("link")).unwrap();
        open_or_make(&root, Path::new("/link/file"), Make::File).unwrap();
        assert!(dir.path().join("outside/deep/file").is_file());
        symlink("../run/resolv.conf", dir.path().join("dangling")).unwrap();
        open_or_make(&root, Path::new("/dangling"), Make::File).unwrap();
        assert!(dir.path().join("run/resolv.conf").is_file());
    }

    #[test]
    fn a_loop_of_links_and_a_link_of_proc_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let root = open_host(dir.path()).unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert_eq!(open_or_make(&root, Path::new("/a"), Make::Directory).unwrap_err(), Errno::LOOP);
        let host = open_host("/").unwrap();
        assert_eq!(open(&host, Path::new("/proc/self/root/etc")).unwrap_err(), Errno::LOOP);
    }

    #[test]
    fn a_path_is_made_normal_as_text() {
        assert_eq!(normal(Path::new("/a/../../b/./c/")), Path::new("/b/c"));
        assert_eq!(normal(Path::new("/..")), Path::new("/"));
    }
}
