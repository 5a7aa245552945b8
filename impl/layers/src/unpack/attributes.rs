//! Owner, mode, extended attributes and time of what was unpacked.

use crate::files;
use crate::tar::{Entry, Kind, Time};
use rustix::fs::{
    AtFlags, Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr,
    futimens, lsetxattr, utimensat,
};
use rustix::io::{Errno, Result};
use std::os::fd::OwnedFd;

/// What gets the attributes.
pub(super) enum Target<'a> {
    /// An open file or directory.
    Open(&'a OwnedFd),
    /// What is no file and no directory, by its name in a directory.
    Named(&'a OwnedFd, &'a [u8]),
}

/// Sets all attributes of `entry`. The order is the kernel's: a change of owner takes setuid and capabilities away.
pub(super) fn set(target: Target<'_>, entry: &Entry) -> Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    let mode = Mode::from_raw_mode(entry.mode);
    match target {
        Target::Open(file) => {
            fchown(file, uid, gid)?;
            fchmod(file, mode)?;
            for (name, value) in entry.xattrs.iter().filter(|(name, _)| files::travels(name)) {
                taken(name, fsetxattr(file, &name[..], value, XattrFlags::empty()))?;
            }
            set_time(file, entry.modified)
        }
        Target::Named(parent, name) => {
            chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            if !matches!(entry.kind, Kind::Symlink(_)) {
                chmodat(parent, name, mode, AtFlags::empty())?;
            }
            for (key, value) in entry.xattrs.iter().filter(|(key, _)| files::travels(key)) {
                let path = files::proc_path(parent, name);
                taken(key, lsetxattr(path, &key[..], value, XattrFlags::empty()))?;
            }
            utimensat(parent, name, &times(entry.modified), AtFlags::SYMLINK_NOFOLLOW)
        }
    }
}

/// An attribute that this disk, or this kind of file, does not take is left out.
fn taken(name: &[u8], result: Result<()>) -> Result<()> {
    match result {
        Err(error @ (Errno::NOTSUP | Errno::PERM)) => {
            tracing::warn!(name = %String::from_utf8_lossy(name), %error, "an extended attribute is left out");
            Ok(())
        }
        result => result,
    }
}

pub(super) fn set_time(file: &OwnedFd, time: Time) -> Result<()> {
    futimens(file, &times(time))
}

fn times(time: Time) -> Timestamps {
    let time = Timespec { tv_sec: time.seconds, tv_nsec: i64::from(time.nanos) };
    Timestamps { last_access: time, last_modification: time }
}

/// An entry with the attributes that `stat` tells.
pub(super) fn described(path: &[u8], kind: Kind, stat: &Stat) -> Entry {
    let modified = Time { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    Entry { mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, modified, ..Entry::new(path, kind) }
}
