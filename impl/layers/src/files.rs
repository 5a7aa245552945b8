//! Single steps on files, each relative to the handle of a directory.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, openat, openat2, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Handle of a directory, for reading its entries and for all that is relative to it.
pub(crate) const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(crate) fn open_root(path: &Path) -> rustix::io::Result<OwnedFd> {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens the directory `name`, one part of a path; a symbolic link is none.
pub(crate) fn open_directory(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    openat(parent, name, DIRECTORY, Mode::empty())
}

/// Opens the directory at `path`, of any depth. Links are followed as long as they stay beneath `root`; one that is
/// absolute or climbs out fails with `EXDEV`.
pub(crate) fn open_beneath(root: impl AsFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let path = if path.is_empty() { &b"."[..] } else { path };
    loop {
        match openat2(&root, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), how) {
            // The kernel could not rule out a race with a rename elsewhere.
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    }
}

/// What `name` is; `None` if it is not there. Links are not followed.
pub(crate) fn stat(parent: impl AsFd, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(crate) fn is_directory(stat: &Stat) -> bool {
    file_type(stat) == FileType::Directory
}

/// A path for calls that take no handle: `name` within the directory of the handle.
pub(crate) fn proc_path(parent: impl AsFd, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

/// Names in a directory, without `.` and `..`, in the order of the disk.
pub(crate) fn names(directory: impl AsFd) -> rustix::io::Result<Vec<(Vec<u8>, FileType)>> {
    let directory = openat(directory, ".", DIRECTORY, Mode::empty())?;
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
    }
    Ok(names)
}

/// Extended attributes that belong to a file rather than to this machine or to overlayfs. `follow`: of what the path
/// names, else of the link itself.
pub(crate) fn xattrs(path: &[u8], follow: bool) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    use rustix::fs::{getxattr, lgetxattr, listxattr, llistxattr};
    let mut list = vec![0; 1024];
    let length = loop {
        let result = if follow { listxattr(path, &mut list[..]) } else { llistxattr(path, &mut list[..]) };
        match result {
            Ok(length) => break length,
            Err(Errno::RANGE) => list.resize(64 * 1024, 0),
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    };
    let mut found = Vec::new();
    for name in list[..length].split(|&byte| byte == 0).filter(|name| travels(name)) {
        let mut value = vec![0; 64 * 1024];
        let result = if follow { getxattr(path, name, &mut value[..]) } else { lgetxattr(path, name, &mut value[..]) };
        match result {
            Ok(length) => {
                value.truncate(length);
                value.shrink_to_fit();
                found.push((name.to_vec(), value));
            }
            // Removed since it was listed.
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error),
        }
    }
    found.sort();
    Ok(found)
}

/// Whether an attribute is a file's own and travels with it: not overlayfs's marks, with which an archive could graft
/// directories, and not the labels of a security module of this machine.
pub(crate) fn travels(name: &[u8]) -> bool {
    match name.split(|&byte| byte == b'.').next() {
        Some(b"security") => name == b"security.capability",
        Some(b"trusted") => !name.starts_with(b"trusted.overlay."),
        Some(b"user") => !name.starts_with(b"user.overlay."),
        Some(b"system") => matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default"),
        _ => false,
    }
}

/// For messages.
pub(crate) fn shown(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
