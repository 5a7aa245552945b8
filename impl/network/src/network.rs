//! The network as a whole.

use crate::addresses::{Addresses, Lease};
use crate::attachment::Held;
use crate::bridge::{self, BridgeLink};
use crate::dying::Dying;
use crate::netlink::{
    Socket, add_address, add_default_route, dump_links, link_by_name, remove_link, set_container_link,
};
use crate::proxy::Proxy;
use crate::publish::{Publication, Publisher};
use crate::ready::{Pool, Ready, Recipe};
use crate::rules::Rules;
use crate::teardown::Teardown;
use crate::{Attachment, Cidr, Config, Endpoint, Error, Link, Namespace, Port, PortRange, Publish, Record, namespace};
use drydock_core::{Id, fault};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::warn;

/// The containers' network. Cheap to clone; every clone is the same network.
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) host: Arc<Socket>,
    pub(crate) teardown: Teardown,
    pub(crate) dying: Arc<Dying>,
    live: Mutex<HashMap<Id, Record>>,
    bridged: Option<BridgedNetwork>,
    namespaces: PathBuf,
    prefix: String,
    inherited: Mutex<Inherited>,
    down: AtomicBool,
}

#[derive(Debug)]
struct BridgedNetwork {
    bridge: BridgeLink,
    gateway: Ipv4Addr,
    addresses: Arc<Addresses>,
    publisher: Publisher,
    hairpin: bool,
    icc: bool,
    pool: Pool,
}

/// What an earlier daemon left, when this one began.
#[derive(Debug, Default)]
struct Inherited {
    interfaces: Vec<(u32, String)>,
    paths: Vec<PathBuf>,
}

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

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
/// Whether packets within a bridge pass the rules; missing where the kernel has no such thing loaded.
const BRIDGE_RULES: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

impl Network {
    /// Makes or takes the bridge, sets forwarding and rules, and begins to keep namespaces ready. Without the right to
    /// make a bridge (no root) it fails; [`crate::Bridge::None`] works without.
    ///
    /// # Errors
    /// Each of the kinds above "Attaching" in [`Error`], and the world's.
    pub fn open(config: Config) -> Result<Self, Error> {
        let netlink = |source| Error::Netlink { what: "opening a socket", source };
        let host = Arc::new(Socket::open().map_err(netlink)?);
        let tag = tag(&config);
        let prefix = format!("vd{tag:04x}");
        let namespaces = config.exec_root.join("netns");
        let mkdir = |source| Error::File { what: "making", path: namespaces.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&namespaces).map_err(mkdir)?;
        let inherited = Inherited::find(&host, &prefix, &namespaces)?;
        let bridged = bridge::open(&config, &prefix, &host)?
            .map(|bridge| BridgedNetwork::open(&config, bridge, &host, &prefix, tag))
            .transpose()?;
        Ok(Self(Arc::new(Inner {
            teardown: Teardown::start().map_err(Error::Namespace)?,
            dying: Arc::new(Dying::new(Arc::clone(&host))),
            host,
            live: Mutex::default(),
            bridged,
            namespaces,
            prefix,
            inherited: Mutex::new(inherited),
            down: AtomicBool::new(false),
        })))
    }

    /// What `info` and warnings tell.
    #[must_use]
    pub fn info(&self) -> Info {
        Info {
            bridge: self.0.bridged.as_ref().map(|bridged| (bridged.bridge.name.clone(), bridged.bridge.address)),
            ipv4_forwarding: fs::read_to_string(FORWARDING).is_ok_and(|text| text.trim() != "0"),
        }
    }

    /// Gives a container its network. On an error nothing is left: each port and the address are free again.
    ///
    /// # Errors
    /// `AddressesUsedUp`, `PortTaken`, `PortsUsedUp`, `PortListen`, and the world's.
    pub fn attach(&self, container: &Id, mode: &Mode) -> Result<Attachment, Error> {
        if self.0.down.load(Ordering::Acquire) {
            return Err(Error::ShutDown);
        }
        match (mode, &self.0.bridged) {
            (Mode::Host, _) => Ok(self.attach_to_host(container)),
            (Mode::Bridge(how), Some(bridged)) => self.attach_to_bridge(container, how, bridged),
            (Mode::None | Mode::Bridge(_), _) => self.attach_to_nothing(container),
        }
    }

    fn attach_to_host(&self, container: &Id) -> Attachment {
        let record = Record { container: *container, namespace: Namespace::Host, endpoint: None };
        Attachment::new(record, self.hold())
    }

    fn attach_to_nothing(&self, container: &Id) -> Result<Attachment, Error> {
        let new = namespace::create().map_err(Error::Namespace)?;
        let path = self.path(container);
        namespace::mount(&new.namespace, &path)?;
        let record = Record { container: *container, namespace: Namespace::Path(path.clone()), endpoint: None };
        let mut held = self.hold();
        held.path = Some(path);
        Ok(Attachment::new(record, held))
    }

    fn attach_to_bridge(&self, container: &Id, how: &Bridged, bridged: &BridgedNetwork) -> Result<Attachment, Error> {
        let lease = self.lease(bridged, how)?;
        let address = lease.address;
        let mut held = self.hold();
        held.lease = Some(lease);
        held.publication = self.publish(bridged, address, how)?;
        let ready = bridged.pool.take()?;
        let mac = how.mac.unwrap_or_else(|| bridge::mac(address));
        bridged.configure(&ready, address, mac, how)?;
        held.interface = Some(ready.outer);
        let path = self.path(container);
        namespace::mount(&ready.namespace, &path)?;
        held.path = Some(path.clone());
        let endpoint = Endpoint {
            bridge: bridged.bridge.name.clone(),
            interface: ready.name.clone(),
            index: ready.outer,
            address,
            prefix_len: bridged.bridge.address.prefix_len,
            gateway: bridged.gateway,
            mac: mac_text(mac),
            ports: held.publication.as_ref().map(|publication| publication.published().to_vec()).unwrap_or_default(),
            hairpin: bridged.hairpin,
        };
        let record = Record { container: *container, namespace: Namespace::Path(path), endpoint: Some(endpoint) };
        Ok(Attachment::new(record, held))
    }

    fn lease(&self, bridged: &BridgedNetwork, how: &Bridged) -> Result<Lease, Error> {
        loop {
            match bridged.addresses.next(how.first_address) {
                Err(Error::AddressesUsedUp(_)) if self.0.teardown.settle() | self.0.dying.wait_for_one()? => {}
                result => return result,
            }
        }
    }

    /// A port that is still being taken down counts as free: its container's end was already told.
    fn publish(
        &self,
        bridged: &BridgedNetwork,
        address: Ipv4Addr,
        how: &Bridged,
    ) -> Result<Option<Publication>, Error> {
        let publish = || bridged.publisher.publish(address, &how.publish, how.ephemeral);
        match publish() {
            Err(Error::PortTaken { .. } | Error::PortsUsedUp(_)) if self.0.teardown.settle() => publish(),
            result => result,
        }
    }

    /// Where a container's namespace is mounted. The earlier run's may still be there.
    fn path(&self, container: &Id) -> PathBuf {
        let path = self.0.namespaces.join(container.short());
        if path.exists() {
            self.0.teardown.settle();
        }
        path
    }

    fn hold(&self) -> Held {
        Held { network: Arc::clone(&self.0), publication: None, interface: None, path: None, lease: None }
    }

    /// Lets a container reach another's ports, by their addresses. Where containers reach each other anyway
    /// ([`Config::icc`]), there is nothing to do. After a restart of the daemon it is to be done again.
    ///
    /// # Errors
    /// `Rules`, `Run`.
    pub fn link(&self, from: Ipv4Addr, to: Ipv4Addr, ports: &[Port]) -> Result<Link, Error> {
        let rules = self.0.bridged.as_ref().filter(|bridged| !bridged.icc).and_then(|bridged| {
            let rules = bridged.publisher.rules.as_ref()?;
            Some((Arc::clone(rules), rules.of_link(from, to, ports)))
        });
        if let Some((rules, own)) = &rules {
            rules.add(own)?;
        }
        Ok(Link::new(Arc::clone(&self.0), rules))
    }

    /// Takes over what an earlier daemon attached and which still runs. Call it for each before the first
    /// [`Self::attach`]; its address and ports are in use from then on.
    ///
    /// # Errors
    /// As [`Self::attach`]; `AddressTaken`, `InterfaceGone`. The container's network is then as it is.
    pub fn claim(&self, record: Record) -> Result<Attachment, Error> {
        let mut held = self.hold();
        if let (Some(endpoint), Some(bridged)) = (&record.endpoint, &self.0.bridged) {
            let link = link_by_name(&self.0.host, &endpoint.interface)
                .map_err(|source| Error::Netlink { what: "looking for an interface", source })?;
            if link.is_none_or(|link| link.index != endpoint.index) {
                return Err(Error::InterfaceGone(endpoint.interface.clone()));
            }
            let lease = bridged.addresses.claim(endpoint.address);
            held.lease = Some(lease.ok_or(Error::AddressTaken(endpoint.address))?);
            held.publication = bridged.publisher.claim(endpoint.address, &endpoint.ports)?;
        }
        held.interface = record.endpoint.as_ref().map(|endpoint| endpoint.index);
        if let Namespace::Path(path) = &record.namespace {
            held.path = Some(path.clone());
        }
        Ok(Attachment::new(record, held))
    }

    /// Removes what an earlier daemon left and nobody claimed: mounts and interfaces. (Its rules went when this one
    /// opened.) Call it once, after the last [`Self::claim`].
    ///
    /// # Errors
    /// The first of several; as much as could be removed is.
    pub fn sweep(&self) -> Result<(), Error> {
        let Inherited { interfaces, paths } = std::mem::take(&mut *lock(&self.0.inherited));
        let live = self.0.live().clone();
        let live_interface = |name: &str| live.values().any(|record| record.interface() == Some(name));
        let mut result = Ok(());
        for path in paths {
            if !live.values().any(|record| record.namespace == Namespace::Path(path.clone())) {
                result = result.and(namespace::remove(&path));
            }
        }
        for (index, _) in interfaces.into_iter().filter(|(_, name)| !live_interface(name)) {
            result = result.and(self.0.remove_interface(index));
        }
        result
    }

    /// Refuses new attachments, waits until all teardown is finished, and drops the ready namespaces. Attachments that
    /// were left with [`Attachment::leave`] stay.
    pub fn shutdown(&self) {
        self.0.down.store(true, Ordering::Release);
        if let Some(bridged) = &self.0.bridged {
            bridged.pool.stop();
        }
        self.0.teardown.settle();
        if let Err(error) = self.0.wait_for_the_kernel() {
            warn!(%error, "interfaces may be left");
        }
    }
}

impl Inner {
    pub(crate) fn live(&self) -> MutexGuard<'_, HashMap<Id, Record>> {
        lock(&self.live)
    }

    fn remove_interface(&self, index: u32) -> Result<(), Error> {
        match self.host.request([remove_link(index)]) {
            Err(error) if error.raw_os_error() != Some(nix::libc::ENODEV) => {
                Err(Error::Netlink { what: "removing an interface", source: error })
            }
            _ => Ok(()),
        }
    }

    /// The kernel removes a namespace's interfaces some time after its last user is gone. What it still has after a
    /// while is removed by hand.
    fn wait_for_the_kernel(&self) -> Result<(), Error> {
        let patience = Instant::now() + Duration::from_secs(2);
        loop {
            let live = self.live().clone();
            let links =
                dump_links(&self.host).map_err(|source| Error::Netlink { what: "reading interfaces", source })?;
            let mut left = links.into_iter().filter(|link| {
                link.name.starts_with(&self.prefix)
                    && !live.values().any(|record| record.interface() == Some(link.name.as_str()))
            });
            if Instant::now() > patience {
                return left.try_for_each(|link| self.remove_interface(link.index));
            }
            if left.next().is_none() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Record {
    fn interface(&self) -> Option<&str> {
        self.endpoint.as_ref().map(|endpoint| endpoint.interface.as_str())
    }
}

impl BridgedNetwork {
    fn open(config: &Config, bridge: BridgeLink, host: &Arc<Socket>, prefix: &str, tag: u16) -> Result<Self, Error> {
        let range = config.fixed_cidr.unwrap_or(bridge.address);
        if !(bridge.address.contains(range.network()) && range.prefix_len >= bridge.address.prefix_len) {
            return Err(Error::NotWithin { inner: range, outer: bridge.address });
        }
        let gateway = config.default_gateway.unwrap_or(bridge.address.address);
        if config.ip_forward {
            set_sysctl(FORWARDING, "1")?;
        }
        if !config.icc && std::path::Path::new(BRIDGE_RULES).exists() {
            set_sysctl(BRIDGE_RULES, "1")?;
        }
        if !config.userland_proxy {
            set_sysctl(&format!("/proc/sys/net/ipv4/conf/{}/route_localnet", bridge.name), "1")?;
        }
        let rules = config.iptables.then(|| Rules::open(config, &bridge, tag)).transpose()?;
        let recipe = Recipe {
            host: Arc::clone(host),
            bridge: bridge.index,
            mtu: config.mtu,
            hairpin: !config.userland_proxy,
            prefix: prefix.to_owned(),
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
    fn configure(&self, ready: &Ready, address: Ipv4Addr, mac: [u8; 6], how: &Bridged) -> Result<(), Error> {
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

impl Inherited {
    fn find(host: &Socket, prefix: &str, namespaces: &PathBuf) -> Result<Self, Error> {
        let links = dump_links(host).map_err(|source| Error::Netlink { what: "reading interfaces", source })?;
        let ours = links.into_iter().filter(|link| link.kind == "veth" && link.name.starts_with(prefix));
        let paths = fs::read_dir(namespaces)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|source| Error::File { what: "reading", path: namespaces.clone(), source })?;
        Ok(Self { interfaces: ours.map(|link| (link.index, link.name)).collect(), paths })
    }
}

/// Tells this daemon from others on the machine, whatever its process.
fn tag(config: &Config) -> u16 {
    let bytes = config.exec_root.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    (hash >> 16) as u16 ^ hash as u16
}

fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// A read-only `/proc/sys` that already says so is fine.
fn set_sysctl(path: &str, value: &str) -> Result<(), Error> {
    let set = fs::write(path, value);
    if set.is_err() && fs::read_to_string(path).is_ok_and(|now| now.trim() == value) {
        return Ok(());
    }
    set.map_err(|source: io::Error| Error::File { what: "setting", path: path.into(), source })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
