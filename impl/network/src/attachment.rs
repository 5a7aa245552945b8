//! A container's part of the network.

use crate::addresses::Lease;
use crate::namespace;
use crate::netlink::link_by_name;
use crate::network::Inner;
use crate::publish::Publication;
use crate::{Error, Published, Statistics};
use drydock_core::Id;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::warn;

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

/// A container's part of the network. Dropping it closes its ports at once; rules and path go in the background, then
/// the ports are free. Processes that still are in the namespace keep it and its address, until the last one is gone.
#[derive(Debug)]
pub struct Attachment {
    record: Record,
    held: Option<Held>,
}

/// What an attachment holds of the network, or what was gathered for one so far. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) network: Arc<Inner>,
    pub(crate) publication: Option<Publication>,
    /// Index of the host's end.
    pub(crate) interface: Option<u32>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) lease: Option<Lease>,
}

impl Attachment {
    pub(crate) fn new(record: Record, held: Held) -> Self {
        held.network.live().insert(record.container, record.clone());
        Self { record, held: Some(held) }
    }

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
    /// `Netlink`; `InterfaceGone`.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let (Some(held), Some(endpoint)) = (&self.held, &self.record.endpoint) else {
            return Ok(Statistics::default());
        };
        let link = link_by_name(&held.network.host, &endpoint.interface)
            .map_err(|source| Error::Netlink { what: "reading an interface", source })?;
        let link = link.ok_or_else(|| Error::InterfaceGone(endpoint.interface.clone()))?;
        Ok(link.statistics.of_other_end())
    }

    /// Leaves everything in place for the next daemon, which claims it. Until then, nobody serves the ports that are
    /// reached by the proxy.
    pub fn leave(mut self) {
        let Some(mut held) = self.held.take() else { return };
        if let Some(publication) = held.publication.take() {
            publication.leave();
        }
        held.interface = None;
        held.path = None;
        // Its address is in use as long as this daemon lives.
        std::mem::forget(held.lease.take());
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            held.network.live().remove(&self.record.container);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Clients see a closed port before the answer that says so.
        if let Some(publication) = &mut self.publication {
            publication.close();
        }
        let (publication, path) = (self.publication.take(), self.path.take());
        let end = self.interface.take().zip(self.lease.take());
        if publication.is_none() && path.is_none() {
            return;
        }
        let dying = Arc::clone(&self.network.dying);
        self.network.teardown.later(move || {
            if let Some(Err(error)) = publication.map(Publication::take_down) {
                warn!(%error, "the rules of a container's ports stay");
            }
            if let Some(Err(error)) = path.map(|path| namespace::remove(&path)) {
                warn!(%error, "a container's namespace stays");
            }
            if let Some((index, lease)) = end {
                dying.add(index, lease);
            }
        });
    }
}
