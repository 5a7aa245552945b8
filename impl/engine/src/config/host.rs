//! What a container wants of the host: limits, mounts, network, privileges.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The host configuration of create (and, replacing it, of start). `None` is what the client left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HostConfig {
    /// `host:container[:ro|rw]`.
    pub binds: Option<Vec<String>>,
    /// Shown as it came.
    #[serde(rename = "ContainerIDFile")]
    pub container_id_file: String,
    /// Options of a driver that is long gone; shown as they came.
    pub lxc_conf: Option<Vec<KeyValue>>,
    /// Bytes; 0: unlimited.
    pub memory: i64,
    /// Bytes, memory and swap together; 0: twice the memory; −1: unlimited.
    pub memory_swap: i64,
    /// Relative weight; 0: the kernel's default.
    pub cpu_shares: i64,
    /// Microseconds.
    pub cpu_period: i64,
    /// CPUs, as in `0-2,4`.
    pub cpuset_cpus: String,
    /// Memory nodes, as in `0-1`.
    pub cpuset_mems: String,
    /// Microseconds of CPU time per period.
    pub cpu_quota: i64,
    /// 10 to 1000; 0: the kernel's default.
    pub blkio_weight: i64,
    /// The kernel does not kill for lack of memory; processes wait.
    pub oom_kill_disable: bool,
    /// All devices and capabilities.
    pub privileged: bool,
    /// `port/protocol` to host addresses and ports.
    pub port_bindings: Option<PortBindings>,
    /// `container:alias`.
    pub links: Option<Vec<String>>,
    /// A host port for each exposed port.
    pub publish_all_ports: bool,
    /// Name servers.
    pub dns: Option<Vec<String>>,
    /// Search domains.
    pub dns_search: Option<Vec<String>>,
    /// `name:address` lines for the hosts file.
    pub extra_hosts: Option<Vec<String>>,
    /// `container[:ro|rw]`.
    pub volumes_from: Option<Vec<String>>,
    /// Devices of the host.
    pub devices: Option<Vec<Device>>,
    /// `bridge`, `none`, `host`, `container:ID`, or empty (the default bridge).
    pub network_mode: String,
    /// Empty, `host`, or `container:ID`.
    pub ipc_mode: String,
    /// Empty or `host`.
    pub pid_mode: String,
    /// Empty or `host`.
    #[serde(rename = "UTSMode")]
    pub uts_mode: String,
    /// Capabilities to add.
    pub cap_add: Option<Vec<String>>,
    /// Capabilities to drop.
    pub cap_drop: Option<Vec<String>>,
    /// What happens after an exit.
    pub restart_policy: RestartPolicy,
    /// `label:…`, `apparmor:…`.
    pub security_opt: Option<Vec<String>>,
    /// No writes to the root file system.
    pub readonly_rootfs: bool,
    /// Resource limits.
    pub ulimits: Option<Vec<Ulimit>>,
    /// Where output goes.
    pub log_config: LogConfig,
    /// Cgroup above the container's.
    pub cgroup_parent: String,
}

/// Ports of the container to addresses of the host; a port with `None` (shown as `null`) or no address has none.
pub type PortBindings = BTreeMap<String, Option<Vec<PortBinding>>>;

/// An address of the host that a port is published at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PortBinding {
    /// Empty: the daemon's default.
    pub host_ip: String,
    /// Empty: any free port. A number, or from 1.7 a range.
    pub host_port: String,
}

/// A pair, for driver options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyValue {
    /// Option.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A device of the host in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Device {
    /// Path on the host.
    pub path_on_host: String,
    /// Path in the container; empty: the same.
    pub path_in_container: String,
    /// Letters of `rwm`.
    pub cgroup_permissions: String,
}

/// What happens after an exit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RestartPolicy {
    /// Empty, `no`, `always` or `on-failure`; anything else is as `no`.
    pub name: String,
    /// Tries of `on-failure`; 0: no bound.
    pub maximum_retry_count: i64,
}

/// A resource limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ulimit {
    /// As in `nofile`.
    pub name: String,
    /// Hard limit.
    pub hard: i64,
    /// Soft limit.
    pub soft: i64,
}

/// Where output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LogConfig {
    /// Driver; empty until create fills the daemon's default.
    #[serde(rename = "Type")]
    pub driver: String,
    /// The driver's options.
    pub config: Option<BTreeMap<String, String>>,
}
