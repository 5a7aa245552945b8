//! What the daemon's flags say of the network.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// What the daemon's flags say of the network.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which bridge (`-b`).
    pub bridge: Bridge,
    /// Address of the bridge that we make (`--bip`); `None`: the first of the usual ones that no route covers.
    pub bip: Option<Cidr>,
    /// Containers' addresses come from this part of the bridge's network (`--fixed-cidr`).
    pub fixed_cidr: Option<Cidr>,
    /// The containers' default gateway, where it is not the bridge (`--default-gateway`).
    pub default_gateway: Option<Ipv4Addr>,
    /// Largest packet in bytes (`--mtu`).
    pub mtu: u32,
    /// Whether containers reach each other (`--icc`).
    pub icc: bool,
    /// Whether packets that leave the bridge's network carry the host's address (`--ip-masq`).
    pub ip_masq: bool,
    /// Whether we make rules at all (`--iptables`).
    pub iptables: bool,
    /// Whether the kernel is told to forward packets (`--ip-forward`).
    pub ip_forward: bool,
    /// Host address of published ports that name none (`--ip`).
    pub publish_address: IpAddr,
    /// Whether published ports are reached from the host's own loopback by a proxy of ours (`--userland-proxy`).
    pub userland_proxy: bool,
    /// For what does not outlive the machine's boot: namespaces are mounted in its `netns` directory. It also tells
    /// this daemon's interfaces and rules from another's.
    pub exec_root: PathBuf,
    /// Namespaces kept ready.
    pub ready: usize,
}

impl Config {
    /// The defaults.
    #[must_use]
    pub fn new(exec_root: impl Into<PathBuf>) -> Self {
        Self {
            bridge: Bridge::Default,
            bip: None,
            fixed_cidr: None,
            default_gateway: None,
            mtu: 1500,
            icc: true,
            ip_masq: true,
            iptables: true,
            ip_forward: true,
            publish_address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            userland_proxy: true,
            exec_root: exec_root.into(),
            ready: 4,
        }
    }
}

/// Which bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bridge {
    /// `docker0` where nobody has it, else `drydock0`; made by us, and kept for the next daemon as the genuine one was.
    Default,
    /// An existing one with an address. Never `docker0`, unless that is what was asked for.
    Named(String),
    /// None: containers of mode bridge get a network without interfaces.
    None,
}

/// An IPv4 address and the size of its network, as `172.17.42.1/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    /// The address as written.
    pub address: Ipv4Addr,
    /// 0 to 32.
    pub prefix_len: u8,
}

impl Cidr {
    /// The address with all host bits 0.
    #[must_use]
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The network, its address without host bits.
    #[must_use]
    pub fn truncated(self) -> Self {
        Self { address: self.network(), ..self }
    }

    /// The address with all host bits 1.
    #[must_use]
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask())
    }

    /// Whether `address` lies in the network.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.network().to_bits()
    }

    /// Whether the networks have an address in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.network()) || other.contains(self.network())
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix_len)).unwrap_or(0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// The text is no address with a prefix length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address of the form 10.0.0.1/8")]
pub struct ParseCidrError(pub String);

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let parse = || {
            let (address, prefix_len) = text.split_once('/')?;
            let cidr = Self { address: address.parse().ok()?, prefix_len: prefix_len.parse().ok()? };
            (cidr.prefix_len <= 32).then_some(cidr)
        };
        parse().ok_or_else(|| ParseCidrError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_knows_its_addresses() {
        let cidr: Cidr = "172.17.42.1/16".parse().unwrap();
        assert_eq!(cidr.network(), Ipv4Addr::new(172, 17, 0, 0));
        assert_eq!(cidr.broadcast(), Ipv4Addr::new(172, 17, 255, 255));
        assert!(cidr.contains(Ipv4Addr::new(172, 17, 3, 4)) && !cidr.contains(Ipv4Addr::new(172, 18, 0, 1)));
        assert!(cidr.overlaps("172.17.1.0/24".parse().unwrap()) && !cidr.overlaps("10.0.0.0/8".parse().unwrap()));
        assert!(cidr.overlaps("0.0.0.0/0".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.1", "10.0.0.1/33", "10.0.0/8", "::1/64", "10.0.0.1/x"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
