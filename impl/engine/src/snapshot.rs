//! What inspect and list tell: all facts of a container at one moment.

use crate::config::{ContainerConfig, HostConfig, PortBindings};
use crate::state::State;
use drydock_core::{Id, Name, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// All facts of a container at one moment, whichever version's view tells them. Cheap to clone: the large parts are
/// shared.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Id.
    pub id: Id,
    /// Name, without a slash.
    pub name: Name,
    /// Whether it had another before.
    pub renamed: bool,
    /// When it was created.
    pub created: Timestamp,
    /// Program: the entrypoint's first word, or the command's.
    pub path: String,
    /// The program's arguments.
    pub args: Arc<[String]>,
    /// Its configuration, the image's merged in.
    pub config: Arc<ContainerConfig>,
    /// What it wants of the host.
    pub host_config: Arc<HostConfig>,
    /// Its image; `None` if it was made of nothing.
    pub image: Option<Id>,
    /// State.
    pub state: State,
    /// Restarts by its policy since it was last started by a client.
    pub restart_count: u64,
    /// Addresses and ports; all empty while it does not run.
    pub network: Arc<NetworkSettings>,
    /// Storage driver.
    pub driver: &'static str,
    /// `native-0.2`, what clients expect to read.
    pub exec_driver: &'static str,
    /// Its volumes, by path in the container; `None` until they are made.
    pub volumes: Option<Arc<BTreeMap<String, Volume>>>,
    /// Execs of this run, oldest first.
    pub exec_ids: Arc<[Id]>,
    /// Files on the host that it sees as its own; empty paths until the first start.
    pub files: Arc<HostFiles>,
}

/// Files on the host that a container sees as its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFiles {
    /// `/etc/resolv.conf`.
    pub resolv_conf: PathBuf,
    /// `/etc/hostname`.
    pub hostname: PathBuf,
    /// `/etc/hosts`.
    pub hosts: PathBuf,
    /// The log, where its driver keeps one here.
    pub log: PathBuf,
}

/// A volume of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where its data is on the host.
    pub source: PathBuf,
    /// Whether the container may write.
    pub writable: bool,
    /// Whether the client named the host path; if not, the data is ours and goes with its last user.
    pub bind: bool,
}

/// Addresses and ports of a container. Empty texts, zeros and no ports while it does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// Bridge, as `docker0`.
    pub bridge: String,
    /// Id of its end of the network.
    pub endpoint_id: String,
    /// Id of the network.
    pub network_id: String,
    /// Where its network namespace is on the host.
    pub sandbox_key: String,
    /// IPv4 gateway.
    pub gateway: String,
    /// IPv4 address.
    pub ip_address: String,
    /// Bits of the IPv4 network.
    pub ip_prefix_len: u8,
    /// Hardware address of `eth0`.
    pub mac_address: String,
    /// Link-local IPv6 address that older daemons show.
    pub link_local_ipv6_address: String,
    /// Its bits.
    pub link_local_ipv6_prefix_len: u8,
    /// Whether a container reaches itself by its published ports.
    pub hairpin_mode: bool,
    /// Ports with their host addresses; `None` (shown as `null`) while it does not run or has no network of its own.
    pub ports: Option<PortBindings>,
}

/// Sizes of a container's files, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// What it wrote.
    pub writable: i64,
    /// With its image.
    pub root: i64,
}
