//! What tells this daemon's interfaces and rules from another's.

use crate::Config;

/// Marks of a daemon: the same in each of its lives, since they come of its [`Config::exec_root`].
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    /// Alias of its bridge and interfaces. It alone decides what is ours; names are only unlikely to be taken.
    pub(crate) alias: String,
    /// What its interfaces' names begin with.
    pub(crate) prefix: String,
    /// Its chain of rules.
    pub(crate) chain: String,
}

impl Marks {
    pub(crate) fn of(config: &Config) -> Self {
        let root = config.exec_root.as_os_str().as_encoded_bytes();
        // FNV-1a: names want spread, not secrecy.
        let hash = root.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        let path = config.exec_root.display().to_string();
        // The kernel's bound is 255 bytes.
        let alias = if path.len() < 200 { format!("drydock {path}") } else { format!("drydock {hash:08x}") };
        Self { alias, prefix: format!("vd{:04x}", hash as u16), chain: format!("DRYDOCK-{hash:08X}") }
    }
}
