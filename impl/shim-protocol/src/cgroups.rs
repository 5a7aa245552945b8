//! A container's cgroup: where it is, and what it limits.

use serde::{Deserialize, Serialize};

/// A container's cgroup: one directory per hierarchy, `PARENT/ID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cgroups {
    /// Above the container's. With a leading slash it is from the hierarchy's root, else from the daemon's own cgroup;
    /// `..` does not lead above the root.
    pub parent: String,
    /// What it limits.
    pub limits: Limits,
}

/// Limits. `None`: the kernel's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    pub memory: Option<i64>,
    /// Soft limit, bytes; older daemons set it to the hard one.
    pub memory_reservation: Option<i64>,
    /// Bytes, memory and swap together; −1: unlimited.
    pub memory_swap: Option<i64>,
    /// 0 to 100.
    pub swappiness: Option<i64>,
    /// The kernel does not kill for lack of memory; processes wait.
    pub oom_kill_disable: bool,
    /// Relative weight.
    pub cpu_shares: Option<i64>,
    /// The kernel clamps a weight outside 2 to 262144; if set, that is an error instead.
    pub cpu_shares_checked: bool,
    /// Microseconds of CPU time per period.
    pub cpu_quota: Option<i64>,
    /// Microseconds.
    pub cpu_period: Option<i64>,
    /// CPUs, as in `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes, as in `0-1`.
    pub cpuset_mems: Option<String>,
    /// A cpuset cgroup is made even if neither is set.
    pub cpuset_always: bool,
    /// 10 to 1000.
    pub blkio_weight: Option<i64>,
    /// Processes at most.
    pub pids: Option<i64>,
    /// Devices that may be used; `None`: all.
    pub devices: Option<Vec<DeviceRule>>,
}

/// Devices that may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Character or block; `None`: both.
    pub kind: Option<DeviceKind>,
    /// `None`: all.
    pub major: Option<u32>,
    /// `None`: all.
    pub minor: Option<u32>,
    /// How.
    pub access: DeviceAccess,
}

/// Character or block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DeviceKind {
    Character,
    Block,
}

/// How a device may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DeviceAccess {
    pub read: bool,
    pub write: bool,
    /// A node for it may be made.
    pub mknod: bool,
}

impl DeviceAccess {
    /// All three.
    pub const ALL: Self = Self { read: true, write: true, mknod: true };
    /// No use, but a node may be made.
    pub const MKNOD: Self = Self { read: false, write: false, mknod: true };

    /// From letters of `rwm`; `None` for any other letter.
    #[must_use]
    pub fn parse(letters: &str) -> Option<Self> {
        let mut access = Self::default();
        for letter in letters.chars() {
            match letter {
                'r' => access.read = true,
                'w' => access.write = true,
                'm' => access.mknod = true,
                _ => return None,
            }
        }
        Some(access)
    }
}
