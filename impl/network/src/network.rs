//! The network as a whole.

use crate::{Attachment, Cidr, Config, Error, PortRange, Publish, Record};
use drydock_core::Id;
use std::sync::Arc;

/// The containers' network. Cheap to clone; every clone is the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Config>);

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
}

impl Default for Bridged {
    fn default() -> Self {
        Self { mac: None, publish: Vec::new(), ephemeral: PortRange::EPHEMERAL, first_address: 1 }
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

impl Network {
    /// Makes or takes the bridge, sets forwarding and rules, and begins to keep namespaces ready. Without the right to
    /// make a bridge (no root) it fails; [`crate::Bridge::None`] works without.
    ///
    /// # Errors
    /// Each of the kinds above "Attaching" in [`Error`], and the world's.
    pub fn open(config: Config) -> Result<Self, Error> {
        Ok(Self(Arc::new(config)))
    }

    /// What `info` and warnings tell.
    #[must_use]
    pub fn info(&self) -> Info {
        todo!()
    }

    /// Gives a container its network. On an error nothing is left: each port and the address are free again.
    ///
    /// # Errors
    /// `AddressesUsedUp`, `PortTaken`, `PortsUsedUp`, `PortListen`, and the world's.
    pub fn attach(&self, container: &Id, mode: &Mode) -> Result<Attachment, Error> {
        let (_, _) = (container, mode);
        todo!()
    }

    /// Takes over what an earlier daemon attached and which still runs. Call it for each before the first
    /// [`Self::attach`]; its address and ports are in use from then on.
    ///
    /// # Errors
    /// As [`Self::attach`]; the container's network is then as it is.
    pub fn claim(&self, record: Record) -> Result<Attachment, Error> {
        let _ = record;
        todo!()
    }

    /// Removes what an earlier daemon left and nobody claimed: mounts, interfaces, rules. Call it once, after the last
    /// [`Self::claim`].
    ///
    /// # Errors
    /// `Netlink`, `File`, `Rules`; as much as could be removed is.
    pub fn sweep(&self) -> Result<(), Error> {
        todo!()
    }

    /// Refuses new attachments, waits until all teardown is finished, and drops the ready namespaces. Attachments that
    /// were left with [`Attachment::leave`] stay.
    pub fn shutdown(&self) {
        todo!()
    }
}
