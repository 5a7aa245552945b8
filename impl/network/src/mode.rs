//! How a container is attached.

use crate::{Cidr, PortRange, Publish};

/// How a container is attached. A container that shares another's network has no attachment of its own: it is started
/// with the other's [`crate::Namespace`].
#[derive(Clone, Debug)]
pub enum Mode {
    /// The daemon's own namespace.
    Host,
    /// A namespace with nothing but loopback.
    None,
    /// The bridge.
    Bridge(Bridged),
}

/// How a container is attached to the bridge.
#[derive(Clone, Debug)]
pub struct Bridged {
    /// Hardware address; `None`: `02:42:` and the four bytes of the IPv4 address.
    pub mac: Option<[u8; 6]>,
    /// Ports to publish, in this order.
    pub publish: Vec<Publish>,
    /// Where ports that name no host port come from.
    pub ephemeral: PortRange,
    /// The first address that a fresh network gives: 2 in older daemons (to 1.5.0), else 1 (recording
    /// `network/addresses`). They count up from there and are not reused before all were used.
    pub first_address: u8,
    /// Whether the interface takes multicast packets: only 1.7.1's does (recordings `inside/default`).
    pub multicast: bool,
    /// Packets that the interface queues: 1000 up to 1.3.3, then none.
    pub queue: u32,
}

impl Default for Bridged {
    fn default() -> Self {
        Self {
            mac: None,
            publish: Vec::new(),
            ephemeral: PortRange::EPHEMERAL,
            first_address: 1,
            multicast: true,
            queue: 0,
        }
    }
}

/// What `info` and warnings tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The bridge's name and address; `None`: there is none.
    pub bridge: Option<(String, Cidr)>,
    /// Whether the kernel forwards IPv4 packets.
    pub ipv4_forwarding: bool,
}
