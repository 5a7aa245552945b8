//! What the daemon's flags say of the engine.

use crate::config::{LogConfig, Ulimit};
use std::path::PathBuf;

/// What the daemon's flags say of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Data root: metadata, container directories, volumes.
    pub root: PathBuf,
    /// For what does not outlive the machine's boot: shims' sockets.
    pub runtime_dir: PathBuf,
    /// The shim program.
    pub shim: PathBuf,
    /// Log driver of containers that ask for none.
    pub log_config: LogConfig,
    /// Limits of containers that ask for none of the name.
    pub ulimits: Vec<Ulimit>,
    /// Whether containers with the policy `always` start again with the daemon.
    pub restart: bool,
    /// Whether containers go on when the daemon is told to end.
    pub keep_running: bool,
    /// Name servers of containers that ask for none; empty: the host's.
    pub dns: Vec<String>,
    /// Search domains, likewise.
    pub dns_search: Vec<String>,
    /// Cgroup above the containers', as `docker`.
    pub cgroup_parent: String,
}
