//! The bridge in service.

use crate::addresses::Addresses;
use crate::bridge::BridgeLink;
use crate::marks::Marks;
use crate::netlink::{Socket, add_address, add_default_route, set_container_link};
use crate::proxy::Proxy;
use crate::publish::Publisher;
use crate::ready::{Pool, Ready, Recipe};
use crate::rules::Rules;
use crate::{Bridged, Cidr, Config, Error};
use drydock_core::fault;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

pub(crate) const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// Whether packets within a bridge pass the rules; missing where the kernel has no such thing loaded.
const BRIDGE_RULES: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// The bridge, and what is needed to attach containers to it.
#[derive(Debug)]
pub(crate) struct BridgedNetwork {
    pub(crate) bridge: BridgeLink,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) publisher: Publisher,
    pub(crate) hairpin: bool,
    pub(crate) icc: bool,
    pub(crate) pool: Pool,
}

impl BridgedNetwork {
    /// Sets forwarding and rules, and begins to keep namespaces ready.
    pub(crate) fn open(config: &Config, bridge: BridgeLink, host: &Arc<Socket>, marks: &Marks) -> Result<Self, Error> {
        let range = config.fixed_cidr.unwrap_or(bridge.address);
        if !(bridge.address.contains(range.network()) && range.prefix_len >= bridge.address.prefix_len) {
            return Err(Error::NotWithin { inner: range, outer: bridge.address });
        }
        let gateway = config.default_gateway.unwrap_or(bridge.address.address);
        if config.ip_forward {
            set_sysctl(FORWARDING, "1")?;
        }
        if !config.icc && Path::new(BRIDGE_RULES).exists() {
            set_sysctl(BRIDGE_RULES, "1")?;
        }
        if !config.userland_proxy {
            set_sysctl(&format!("/proc/sys/net/ipv4/conf/{}/route_localnet", bridge.name), "1")?;
        }
        let rules = config.iptables.then(|| Rules::open(config, &bridge, marks)).transpose()?;
        let recipe = Recipe {
            host: Arc::clone(host),
            bridge: bridge.index,
            mtu: config.mtu,
            hairpin: !config.userland_proxy,
            marks: marks.clone(),
        };
        // The low bits of the time: names of the next life differ from this one's.
        let first = drydock_core::Timestamp::now().subsec_nanos();
        Ok(Self {
            gateway,
            addresses: Arc::new(Addresses::new(range, [bridge.address.address, gateway])),
            publisher: Publisher {
                ports: Arc::default(),
                rules: rules.map(Arc::new),
                proxy: config.userland_proxy.then(Proxy::start).transpose()?,
                address: config.publish_address,
            },
            hairpin: !config.userland_proxy,
            icc: config.icc,
            pool: Pool::start(recipe, config.ready, first)?,
            bridge,
        })
    }

    /// Sets up the container's end from outside.
    pub(crate) fn configure(&self, ready: &Ready, address: Ipv4Addr, mac: [u8; 6], how: &Bridged) -> Result<(), Error> {
        let address = Cidr { address, prefix_len: self.bridge.address.prefix_len };
        fault::point("network.endpoint.configure")
            .and_then(|()| {
                ready.inside.request([
                    set_container_link(ready.inner, mac, how.multicast, how.queue),
                    add_address(ready.inner, address),
                    add_default_route(ready.inner, self.gateway),
                ])
            })
            .map_err(|source| Error::Netlink { what: "setting up a container's interface", source })
    }
}

/// A read-only `/proc/sys` that already says so is fine.
fn set_sysctl(path: &str, value: &str) -> Result<(), Error> {
    let set = fs::write(path, value);
    if set.is_err() && fs::read_to_string(path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    set.map_err(|source: io::Error| Error::File { what: "setting", path: path.into(), source })
}
