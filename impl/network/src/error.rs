//! Why the network refused or failed.

use crate::{Cidr, Protocol};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
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
    #[error("every name for a bridge is taken")]
    NoFreeBridge,
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

    #[error("{0} is in use already")]
    AddressTaken(Ipv4Addr),
    #[error("the interface {0} is gone")]
    InterfaceGone(String),

    // The world
    #[error("netlink: {what}")]
    Netlink {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("running {program}")]
    Run {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{program}: {message}")]
    Rules { program: &'static str, message: String },
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
