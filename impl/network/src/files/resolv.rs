//! `/etc/resolv.conf`.

/// What becomes of the host's `/etc/resolv.conf` in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvConf {
    /// Name servers in place of the host's; empty: the host's.
    pub dns: Vec<String>,
    /// Search domains in place of the host's; empty: the host's; `.`: none.
    pub search: Vec<String>,
    /// Name servers at a loopback address, which no container reaches, are kept (1.2.0) instead of being left out.
    pub keep_loopback: bool,
}

impl ResolvConf {
    /// The container's file, where the host's is `host`.
    #[must_use]
    pub fn render(&self, host: &[u8]) -> Vec<u8> {
        let _ = host;
        todo!()
    }
}
