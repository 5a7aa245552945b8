//! What a container finds inside without asking, where daemons differed.

use serde::{Deserialize, Serialize};

/// What a container finds inside. Kept with it from its creation. The default is the newest daemon's.
///
/// Source: recordings `inside/default`, `inside/cgroup-*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InsideRules {
    /// `/dev/pts` is mounted before `/dev/shm`.
    pub pts_first: bool,
    /// There is a `/dev/mqueue`.
    pub mqueue: bool,
    /// `/proc/fs` is read-only, too.
    pub proc_fs_read_only: bool,
    /// Capabilities that old daemons did not know stay in the bounding set.
    pub unknown_capabilities_left: bool,
    /// It has a cpuset cgroup, asked or not.
    pub cpuset_always: bool,
    /// A memory limit sets the soft limit, too.
    pub soft_memory_limit: bool,
    /// CPU shares outside 2 to 262144 are an error, not clamped.
    pub cpu_shares_checked: bool,
    /// The host name that the kernel and `HOSTNAME` tell has the domain appended.
    pub domain_in_hostname: bool,
    /// Volumes are mounted before `/etc/hosts` and its like, not after.
    pub volumes_first: bool,
    /// `/etc/hosts` and its like are read-only where the root is.
    pub files_follow_root: bool,
    /// The hosts file knows a linked container by its own name and host name, too, not by the alias alone.
    pub linked_by_all_names: bool,
    /// The resolver file is there before the network is asked for, so that a start that fails of it has one.
    pub resolver_first: bool,
    /// A container that shares another's network has its `/etc/hostname`, too.
    pub hostname_file_shared: bool,
    /// A network mode that was left open is told from the first start on.
    pub network_mode_told: bool,
    /// A network mode that nobody knows fails when the network is asked for, not after.
    pub network_mode_first: bool,
    /// Without a network there are no files that tell of one.
    pub no_files_without_network: bool,
    /// Links need an address of the container's own.
    pub links_need_address: bool,
    /// Host ports that cannot be read are as none; newer daemons refuse them.
    pub host_ports_lenient: bool,
    /// Host addresses that cannot be read are refused, not as none.
    pub host_address_checked: bool,
    /// Bindings of larger host ports are made first, not in the order they came.
    pub larger_ports_first: bool,
    /// The interface takes multicast packets.
    pub multicast: bool,
    /// Packets that the interface queues.
    pub transmit_queue: u32,
    /// The interface's hardware address is the kernel's choice, not made of the address.
    pub mac_left_to_kernel: bool,
    /// Name servers at loopback addresses are kept in `resolv.conf`.
    pub loopback_nameservers: bool,
    /// Ports that name no host port come from 49153 upwards, not from 32768.
    pub high_ephemeral_ports: bool,
    /// Last part of the first address of a fresh network.
    pub first_address: u8,
    /// The log driver journald exists; where the daemon itself logs to it, it does anyway.
    #[serde(default)]
    pub journald: bool,
}

impl Default for InsideRules {
    fn default() -> Self {
        Self {
            pts_first: true,
            mqueue: true,
            proc_fs_read_only: true,
            unknown_capabilities_left: false,
            cpuset_always: true,
            soft_memory_limit: true,
            cpu_shares_checked: true,
            domain_in_hostname: true,
            volumes_first: true,
            files_follow_root: true,
            linked_by_all_names: true,
            resolver_first: false,
            hostname_file_shared: true,
            network_mode_told: true,
            network_mode_first: true,
            no_files_without_network: true,
            links_need_address: false,
            host_ports_lenient: false,
            host_address_checked: false,
            larger_ports_first: true,
            multicast: true,
            transmit_queue: 0,
            mac_left_to_kernel: false,
            loopback_nameservers: false,
            high_ephemeral_ports: false,
            first_address: 1,
            journald: true,
        }
    }
}
