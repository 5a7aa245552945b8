//! Why the network refused or failed.

use crate::{Cidr, Protocol};
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// Why the network refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    // Opening it
    #[error("no bridge {0}")]
    BridgeMissing(String),
    #[error("the bridge {0} has no address")]
    BridgeWithoutAddress(String),
    #[error("the bridge {bridge} has the address {found}, not {wanted}")]
    BridgeAddress { bridge: String, found: Cidr, wanted: Cidr },
    #[error("the bridge {0} is the work of another daemon")]
    BridgeTaken(String),
    #[error("no network is free for a bridge")]
    NoFreeNetwork,
    #[error("{inner} is no part of {outer}")]
    NotWithin { inner: Cidr, outer: Cidr },

    // Attaching
    #[error("no address left in {0}")]
    AddressesUsedUp(Cidr),
    #[error("{address}:{port} is published already")]
    PortTaken { address: IpAddr, port: u16 },
    #[error("no port left on {0}")]
    PortsUsedUp(IpAddr),
    #[error("listening on {} {address}:{port}", .protocol.name())]
    PortListen {
        protocol: Protocol,
        address: IpAddr,
        port: u16,
        #[source]
        source: io::Error,
    },

    // The world
    #[error("netlink: {what}")]
    Netlink {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("iptables: {0}")]
    Rules(String),
    #[error("{what} {path}")]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a network namespace")]
    Namespace(#[source] io::Error),
    #[error("the network is shut down")]
    ShutDown,
}
