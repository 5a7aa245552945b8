//! A container's part of the network.

use crate::{Error, Published, Statistics};
use drydock_core::Id;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Where a container's network namespace is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Namespace {
    /// The daemon's own.
    Host,
    /// Mounted here. Another container that shares it is given the same path.
    Path(PathBuf),
}

/// All there is to know of an attachment: inspect shows it, and [`crate::Network::claim`] needs it after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose.
    pub container: Id,
    /// Where.
    pub namespace: Namespace,
    /// Its end on the bridge; `None` for host, none, and a daemon without a bridge.
    pub endpoint: Option<Endpoint>,
}

/// A container's end on the bridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The bridge.
    pub bridge: String,
    /// The host's end of the pair.
    pub interface: String,
    /// Its kernel index.
    pub index: u32,
    /// Address.
    pub address: Ipv4Addr,
    /// Bits of the network.
    pub prefix_len: u8,
    /// Default gateway.
    pub gateway: Ipv4Addr,
    /// Hardware address, as `02:42:ac:11:00:02`.
    pub mac: String,
    /// Published ports, in the order they were asked for.
    pub ports: Vec<Published>,
    /// Whether the container reaches itself by its published ports without a proxy.
    pub hairpin: bool,
}

/// A container's part of the network. Dropping it gives address and ports back and lets the namespace go; processes
/// that still are in it keep it alive, without a way out.
#[derive(Debug)]
pub struct Attachment {
    record: Record,
}

impl Attachment {
    /// Where the namespace is.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.record.namespace
    }

    /// What to remember.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What went over the interface so far, as the container sees it; zeros where it has none of its own.
    ///
    /// # Errors
    /// `Netlink`.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        todo!()
    }

    /// Leaves everything in place for the next daemon, which claims it.
    pub fn leave(self) {
        todo!()
    }
}
