//! Capabilities, as masks and by name.

use serde::{Deserialize, Serialize};

/// What a process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Bit n is capability n. What the daemon itself lacks is left out when the process starts.
    pub set: u64,
    /// Capabilities that stay in the bounding set without being in [`Self::set`]: older daemons left those that they
    /// did not know (37 and above) there, so root has them (recordings `inside/default` of 1.2.0 to 1.5.0).
    pub left_in_bounding: u64,
}

impl Capabilities {
    /// What a container has unless it asks: `a80425fb`.
    pub const DEFAULT: u64 = 0xa804_25fb;
    /// What older daemons did not know: 37 to 40.
    pub const UNKNOWN_TO_OLD: u64 = 0x1e0_0000_0000;

    /// Bit of a capability by its name without `CAP_`, in upper case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<u64> {
        NAMES.iter().position(|known| *known == name).map(|at| 1 << at)
    }

    /// Names of the capabilities in a mask, without `CAP_`.
    pub fn names(mask: u64) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(at, _)| mask & (1 << at) != 0).map(|(_, name)| *name)
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { set: Self::DEFAULT, left_in_bounding: 0 }
    }
}

/// At their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_set_is_the_fourteen_known_names() {
        let names: Vec<_> = Capabilities::names(Capabilities::DEFAULT).collect();
        assert_eq!(names.len(), 14);
        assert_eq!(names.iter().filter_map(|name| Capabilities::by_name(name)).sum::<u64>(), Capabilities::DEFAULT);
    }
}
