//! Device nodes.

use super::target;
use drydock_shim_protocol::{DeviceKind, DeviceNode};
use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid, makedev};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// Makes a node; one that is there already stays.
pub(super) fn make(root: impl AsFd, node: &DeviceNode) -> Result<(), Errno> {
    let (above, name) = target::open_above(root, &node.path)?;
    let kind = match node.kind {
        DeviceKind::Character => FileType::CharacterDevice,
        DeviceKind::Block => FileType::BlockDevice,
    };
    let mode = Mode::from_raw_mode(node.mode);
    match rustix::fs::mknodat(&above, name, kind, mode, makedev(node.major, node.minor)) {
        Err(Errno::EXIST) => return Ok(()),
        result => result?,
    }
    if node.uid == 0 && node.gid == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(node.uid), Gid::from_raw(node.gid));
    rustix::fs::chownat(&above, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}
