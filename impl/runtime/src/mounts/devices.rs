//! Device nodes.

use super::target;
use drydock_shim_protocol::{DeviceKind, DeviceNode};
use rustix::fs::{AtFlags, FileType, Gid, Mode, Uid, makedev};
use rustix::io::Errno;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// What of the host's `/dev` no container gets: it has its own.
const OWN: [&str; 7] = ["pts", "shm", "mqueue", "fd", "console", "ptmx", ".lxc"];

/// All nodes of the host's `/dev`, at the paths that they have there.
pub(super) fn of_host() -> Vec<DeviceNode> {
    let mut nodes = Vec::new();
    collect(Path::new("/dev"), &mut nodes);
    nodes
}

fn collect(directory: &Path, nodes: &mut Vec<DeviceNode>) {
    // What vanishes or cannot be read while we look is not there.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if OWN.iter().any(|own| entry.file_name() == *own) {
            continue;
        }
        let Ok(metadata) = entry.metadata() else { continue };
        let kind = metadata.file_type();
        if kind.is_dir() {
            collect(&entry.path(), nodes);
        } else if kind.is_char_device() || kind.is_block_device() {
            nodes.push(DeviceNode {
                path: entry.path(),
                kind: if kind.is_char_device() { DeviceKind::Character } else { DeviceKind::Block },
                major: rustix::fs::major(metadata.rdev()),
                minor: rustix::fs::minor(metadata.rdev()),
                mode: metadata.mode() & 0o7777,
                uid: metadata.uid(),
                gid: metadata.gid(),
            });
        }
    }
}

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
