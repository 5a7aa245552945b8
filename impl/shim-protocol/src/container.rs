//! What a container is made of.

use crate::{Cgroups, ProcessSpec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A container as it is to be made. All of it is decided: nothing here is a default to be filled in later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The container's id: names its cgroup.
    pub id: String,
    /// Its root file system, mounted by the engine.
    pub rootfs: PathBuf,
    /// The root file system is remounted read-only at the end.
    pub read_only_rootfs: bool,
    /// Host name; only with a UTS namespace of its own. Empty: left as it is.
    pub hostname: String,
    /// Domain name, likewise.
    pub domainname: String,
    /// What it shares with whom.
    pub namespaces: Namespaces,
    /// Mounted in this order, each upon what was mounted before. A target that is missing is made (a directory, or a
    /// file for a file), and never leads out of the root. With a terminal, `/dev/console` comes after all of them.
    /// [`crate::SystemMounts`] makes the usual beginning.
    pub mounts: Vec<Mount>,
    /// Nodes in `/dev`, made after the mounts where `/dev` is one of them.
    pub devices: Vec<DeviceNode>,
    /// Paths that become read-only, in this order; missing ones are left out.
    pub read_only_paths: Vec<PathBuf>,
    /// Paths that become unreadable; missing ones are left out.
    pub masked_paths: Vec<PathBuf>,
    /// Its cgroup and limits.
    pub cgroups: Cgroups,
    /// Score adjustment of the first process; `None`: as the daemon's.
    pub oom_score_adj: Option<i32>,
    /// The first process.
    pub process: ProcessSpec,
    /// Where output goes.
    pub log: Log,
    /// A directory on disk for output that a slow client has not yet taken.
    pub spool: PathBuf,
}

/// What a container shares. The mount namespace is always its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Namespaces {
    pub pid: Namespace,
    pub ipc: Namespace,
    pub uts: Namespace,
    pub network: Namespace,
}

/// Where a namespace comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Namespace {
    /// A new one. A new network namespace gets its loopback interface up.
    New,
    /// The daemon's.
    Host,
    /// The one at this path: a bind-mounted one, or `/proc/PID/ns/…`.
    Path(PathBuf),
}

/// Something mounted in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute, in the container.
    pub target: PathBuf,
    /// What.
    pub source: MountSource,
    /// Read-only.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or directory of the host, with all that is mounted below it.
    Bind(PathBuf),
    /// `/proc`.
    Proc,
    /// `/sys`.
    Sysfs,
    /// `/dev`, mode 755, with the usual links.
    Dev,
    /// `/dev/pts`, a new instance.
    Devpts,
    /// `/dev/mqueue`.
    Mqueue,
    /// `/dev/shm` of so many bytes.
    Shm {
        /// Bytes, whole kilobytes.
        size: u64,
    },
}

/// A device node in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// Absolute, in the container.
    pub path: PathBuf,
    /// Character or block.
    pub kind: crate::DeviceKind,
    /// Number.
    pub major: u32,
    /// Number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Where the first process's output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// `json-file`, `syslog`, `journald`, `none`….
    pub driver: String,
    /// The driver's options.
    pub options: BTreeMap<String, String>,
    /// The file, for drivers that write one.
    pub path: PathBuf,
    /// The container's id, which some drivers tell.
    pub container_id: String,
    /// The container's name, likewise.
    pub container_name: String,
}
