//! Publishing ports: the host's port is taken, listened on, and led to the container.

use crate::ports::{Ports, Taken};
use crate::proxy::{Listener, Proxy};
use crate::rules::{Rule, Rules};
use crate::{Error, HostPort, PortRange, Publish, Published};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What publishing needs.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) ports: Arc<Ports>,
    /// `None`: no rules are to be made.
    pub(crate) rules: Option<Arc<Rules>>,
    /// `None`: nobody is served by a proxy; ports are listened on all the same, so that nobody else takes them.
    pub(crate) proxy: Option<Proxy>,
    /// Where ports that name no address are published.
    pub(crate) address: IpAddr,
}

/// A container's published ports. Dropping it gives the ports back, but leaves the rules.
#[derive(Debug)]
pub(crate) struct Publication {
    published: Vec<Published>,
    listeners: Vec<Listener>,
    rules: Option<(Arc<Rules>, Vec<Rule>)>,
    taken: Vec<Taken>,
}

impl Publisher {
    /// Publishes all or none. `None`: there is nothing to publish.
    pub(crate) fn publish(
        &self,
        container: Ipv4Addr,
        wanted: &[Publish],
        ephemeral: PortRange,
    ) -> Result<Option<Publication>, Error> {
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut publication =
            Publication { published: Vec::new(), listeners: Vec::new(), rules: None, taken: Vec::new() };
        for publish in wanted {
            let address = publish.address.unwrap_or(self.address);
            let (taken, listener) = self.listen(container, publish, address, ephemeral)?;
            publication.published.push(Published { port: publish.port, address, host_port: taken.number });
            publication.taken.push(taken);
            publication.listeners.push(listener);
        }
        if let Some(rules) = &self.rules {
            let own = rules.of_ports(container, &publication.published);
            rules.add(&own)?;
            publication.rules = Some((Arc::clone(rules), own));
        }
        Ok(Some(publication))
    }

    /// A port of the host that is free and can be listened on. Where any will do, one that another program listens on
    /// is passed over.
    fn listen(
        &self,
        container: Ipv4Addr,
        publish: &Publish,
        address: IpAddr,
        ephemeral: PortRange,
    ) -> Result<(Taken, Listener), Error> {
        let protocol = publish.port.protocol;
        // Those passed over stay taken until one is found: a range gives each of its ports once.
        let mut passed_over = Vec::new();
        loop {
            let taken = self.ports.take(protocol, address, publish.host_port, ephemeral)?;
            match Listener::open(&taken, (container, publish.port.number), self.proxy.as_ref()) {
                Ok(listener) => return Ok((taken, listener)),
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse
                        && !matches!(publish.host_port, HostPort::Exactly(_)) =>
                {
                    passed_over.push(taken);
                }
                Err(source) => return Err(Error::PortListen { protocol, address, port: taken.number, source }),
            }
        }
    }

    /// As [`Self::publish`], of what an earlier daemon published.
    pub(crate) fn claim(&self, container: Ipv4Addr, published: &[Published]) -> Result<Option<Publication>, Error> {
        let same = published.iter().map(|published| Publish {
            port: published.port,
            address: Some(published.address),
            host_port: HostPort::Exactly(published.host_port),
        });
        self.publish(container, &same.collect::<Vec<_>>(), PortRange::EPHEMERAL)
    }
}

impl Publication {
    pub(crate) fn published(&self) -> &[Published] {
        &self.published
    }

    /// Nobody is served any more.
    pub(crate) fn close(&mut self) {
        self.listeners.clear();
    }

    /// Removes the rules, then gives the ports back.
    pub(crate) fn take_down(mut self) -> Result<(), Error> {
        self.close();
        self.rules.take().map_or(Ok(()), |(rules, own)| rules.remove(&own))
    }

    /// Rules and ports stay as they are.
    pub(crate) fn leave(self) {
        std::mem::forget(self.taken);
    }
}
