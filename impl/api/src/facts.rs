//! What the daemon is and stands on: facts of `info` and `version` that no engine knows.

use std::path::PathBuf;

/// Facts of the daemon and its machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Unique, and the same after a restart: twelve groups of four of `A-Z2-7`.
    pub id: String,
    /// The commit it was built from.
    pub commit: String,
    /// The kernel's release.
    pub kernel_version: String,
    /// The distribution's name.
    pub operating_system: String,
    /// Processors.
    pub cpus: usize,
    /// Bytes.
    pub memory: u64,
    /// The host's name.
    pub name: String,
    /// `key=value`.
    pub labels: Vec<String>,
    /// The data root.
    pub root: PathBuf,
    /// Whether `-D` was given.
    pub debug: bool,
    /// The program itself.
    pub program: PathBuf,
    /// Networks of registries that may be insecure.
    pub insecure_registries: Vec<String>,
    /// Mirrors of the index.
    pub mirrors: Vec<String>,
    /// Whether the kernel limits memory, swap, CPU time by period and by quota, and can leave a group without memory
    /// alive.
    pub limits: KernelLimits,
    /// Proxies from the environment: `http_proxy`, `https_proxy`, `no_proxy`.
    pub proxies: [String; 3],
}

/// What the kernel's cgroups can limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelLimits {
    /// Memory.
    pub memory: bool,
    /// Memory and swap together.
    pub swap: bool,
    /// CPU time: period.
    pub cpu_period: bool,
    /// CPU time: quota.
    pub cpu_quota: bool,
    /// The out-of-memory killer can be kept off.
    pub oom_kill_disable: bool,
}
