//! `create`: a container from an image and a configuration.

use crate::config::{ContainerConfig, HostConfig};
use crate::{Engine, Error};
use drydock_core::{Id, NameGrammar};

/// Make a container.
#[derive(Clone, Debug)]
pub struct Create {
    /// Asked-for name; `None`: one is made up.
    pub name: Option<String>,
    /// Which names are allowed.
    pub name_grammar: NameGrammar,
    /// Its configuration, before the image's is merged in.
    pub config: ContainerConfig,
    /// What it wants of the host.
    pub host_config: HostConfig,
    /// Which checks are made, in the engine's order.
    pub rules: CreateRules,
}

/// Checks that some daemons made and others did not. All off: nothing is checked but name, image and command.
#[derive(Clone, Debug, Default)]
pub struct CreateRules {
    /// Least memory limit, bytes; 0: none.
    pub minimum_memory: i64,
    /// A swap limit below the memory limit is refused.
    pub swap_not_below_memory: bool,
    /// A swap limit without a memory limit is refused.
    pub swap_needs_memory: bool,
    /// A blkio weight outside 10 to 1000 is refused.
    pub blkio_weight: bool,
    /// Options of the driver that is gone are refused.
    pub lxc_options: bool,
    /// A relative working directory is refused.
    pub working_dir_absolute: bool,
    /// Malformed port bindings are refused.
    pub ports: bool,
    /// Links, volumes and shared namespaces are looked at: those that are missing or malformed are refused. Daemons
    /// that took no host configuration at create look at start only.
    pub host_config: bool,
    /// Two binds at one path are refused.
    pub volumes_once: bool,
    /// A volume over a file of the image is refused.
    pub volume_over_file: bool,
    /// A container to share the IPC namespace with must run already.
    pub ipc_target_runs: bool,
    /// Modes of volumes other than `ro` and `rw` are refused in binds, too.
    pub bind_mode: bool,
}

/// What came of [`Create`].
#[derive(Clone, Debug)]
pub struct Created {
    /// The new container.
    pub id: Id,
    /// What was done otherwise than asked; none when `[]` or `null` is to be shown.
    pub warnings: Vec<Warning>,
}

/// What create did otherwise than asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The kernel counts no memory: the limit is dropped.
    NoMemoryLimit,
    /// The kernel counts no swap: its limit is dropped.
    NoSwapLimit,
    /// The kernel cannot keep the out-of-memory killer away.
    NoOomKillDisable,
    /// The kernel gives no CPU quota.
    NoCpuQuota,
    /// IPv4 forwarding is off.
    NoForwarding,
}

impl Engine {
    /// Makes a container. It is durable when this returns; nothing is left of one that fails.
    ///
    /// # Errors
    /// In this order: `NameMalformed`; the limits' errors; `SecurityOption`; `NoSuchImage`; `NoCommand`;
    /// `NameTaken`; those of volumes, links and shared namespaces, as far as the rules ask for them.
    pub async fn create(&self, command: Create) -> Result<Created, Error> {
        let _ = command;
        todo!()
    }
}
