//! What every container finds inside: the mounts and devices that daemons give without being asked.
//!
//! Source: recordings `inside/default`, `inside/privileged`, `inside/readonly` of all six daemons; the differences
//! between them are parameters.

use crate::{DeviceAccess, DeviceKind, DeviceNode, DeviceRule, Mount, MountSource};
use std::path::PathBuf;

/// Which mounts a container has before its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemMounts {
    /// `/dev/pts` comes before `/dev/shm`.
    pub pts_first: bool,
    /// There is a `/dev/mqueue`.
    pub mqueue: bool,
    /// `/sys` can be written, as in privileged containers.
    pub writable_sys: bool,
}

impl SystemMounts {
    /// The mounts, in order.
    #[must_use]
    pub fn mounts(self) -> Vec<Mount> {
        let mount = |target: &str, source| Mount { target: PathBuf::from(target), source, read_only: false };
        let pts = mount("/dev/pts", MountSource::Devpts);
        let mut mounts = vec![mount("/proc", MountSource::Proc), mount("/dev", MountSource::Dev)];
        if self.pts_first {
            mounts.push(pts.clone());
        }
        mounts.push(mount("/dev/shm", MountSource::Shm { size: 64 << 20 }));
        if self.mqueue {
            mounts.push(mount("/dev/mqueue", MountSource::Mqueue));
        }
        if !self.pts_first {
            mounts.push(pts);
        }
        mounts.push(Mount { read_only: !self.writable_sys, ..mount("/sys", MountSource::Sysfs) });
        mounts
    }
}

/// What is read-only below `/proc` in a container without privileges, in order. `with_fs`: newer daemons protect
/// `/proc/fs`, too, and go by the alphabet.
#[must_use]
pub fn read_only_proc_paths(with_fs: bool) -> Vec<PathBuf> {
    let names: &[&str] = if with_fs { &["bus", "fs", "irq", "sys"] } else { &["sys", "irq", "bus"] };
    names.iter().map(|name| PathBuf::from("/proc").join(name)).collect()
}

/// The nodes in every `/dev`.
#[must_use]
pub fn default_devices() -> Vec<DeviceNode> {
    let node = |name: &str, major, minor, mode| DeviceNode {
        path: PathBuf::from("/dev").join(name),
        kind: DeviceKind::Character,
        major,
        minor,
        mode,
        uid: 0,
        gid: 0,
    };
    vec![
        node("null", 1, 3, 0o666),
        node("zero", 1, 5, 0o666),
        node("full", 1, 7, 0o666),
        node("tty", 5, 0, 0o666),
        node("urandom", 1, 9, 0o666),
        node("random", 1, 8, 0o666),
        node("fuse", 10, 229, 0),
    ]
}

/// What a container without privileges may do with devices: make any node, and use the usual ones.
#[must_use]
pub fn default_device_rules() -> Vec<DeviceRule> {
    let any_node = |kind| DeviceRule { kind: Some(kind), major: None, minor: None, access: DeviceAccess::MKNOD };
    let all = |major, minor| DeviceRule {
        kind: Some(DeviceKind::Character),
        major: Some(major),
        minor,
        access: DeviceAccess::ALL,
    };
    vec![
        any_node(DeviceKind::Character),
        any_node(DeviceKind::Block),
        all(5, Some(1)),
        all(4, Some(0)),
        all(4, Some(1)),
        all(136, None),
        all(5, Some(2)),
        all(10, Some(200)),
        all(1, Some(3)),
        all(1, Some(5)),
        all(1, Some(7)),
        all(5, Some(0)),
        all(1, Some(9)),
        all(1, Some(8)),
    ]
}
