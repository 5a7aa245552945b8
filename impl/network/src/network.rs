//! The network as a whole.

use crate::addresses::Lease;
use crate::attachment::Held;
use crate::bridge;
use crate::bridged::{BridgedNetwork, FORWARDING};
use crate::dying::Dying;
use crate::inherited::Inherited;
use crate::marks::Marks;
use crate::netlink::{Socket, dump_links, link_by_name, remove_link};
use crate::publish::Publication;
use crate::teardown::Teardown;
use crate::{Attachment, Bridged, Config, Endpoint, Error, Info, Link, Mode, Namespace, Port, Record, namespace};
use drydock_core::Id;
use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
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
    marks: Marks,
    inherited: Mutex<Inherited>,
    down: AtomicBool,
}

impl Network {
    /// Makes or takes the bridge, sets forwarding and rules, and begins to keep namespaces ready. Without the right to
    /// make a bridge (no root) it fails; [`crate::Bridge::None`] works without.
    ///
    /// # Errors
    /// Each of the kinds above "Attaching" in [`Error`], and the world's.
    pub fn open(config: Config) -> Result<Self, Error> {
        let netlink = |source| Error::Netlink { what: "opening a socket", source };
        let host = Arc::new(Socket::open().map_err(netlink)?);
        let marks = Marks::of(&config);
        let namespaces = config.exec_root.join("netns");
        let mkdir = |source| Error::File { what: "making", path: namespaces.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&namespaces).map_err(mkdir)?;
        let inherited = Inherited::find(&host, &marks, &namespaces)?;
        let bridged = bridge::open(&config, &marks, &host)?
            .map(|bridge| BridgedNetwork::open(&config, bridge, &host, &marks))
            .transpose()?;
        Ok(Self(Arc::new(Inner {
            teardown: Teardown::start().map_err(Error::Namespace)?,
            dying: Arc::new(Dying::new(Arc::clone(&host))),
            host,
            live: Mutex::default(),
            bridged,
            namespaces,
            marks,
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

    /// Where network namespaces are mounted.
    #[must_use]
    pub fn namespaces(&self) -> &Path {
        &self.0.namespaces
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
                link.is_container_end_of(&self.marks)
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}
