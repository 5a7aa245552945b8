//! Ports: the container's, the host's, and which stands for which.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A port of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// Protocol.
    pub protocol: Protocol,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol.name())
    }
}

/// A wish to publish a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The container's.
    pub port: Port,
    /// Address of the host; `None`: [`crate::Config::publish_address`].
    pub address: Option<IpAddr>,
    /// Port of the host.
    pub host_port: HostPort,
}

/// Which port of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPort {
    /// The next free one of [`crate::Bridged::ephemeral`].
    Any,
    /// This one.
    Exactly(u16),
    /// The first free one of these.
    Range(PortRange),
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    /// Where newer daemons look for a port (recording `network/ephemeral-ports` of 1.6.2 and 1.7.1): the kernel's own
    /// range, as it is by default.
    pub const EPHEMERAL: Self = Self { first: 32768, last: 61000 };
    /// Where older daemons do (1.2.0 to 1.5.0).
    pub const OLD_EPHEMERAL: Self = Self { first: 49153, last: 65535 };
}

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The container's.
    pub port: Port,
    /// Address of the host.
    pub address: IpAddr,
    /// Port of the host.
    pub host_port: u16,
}
