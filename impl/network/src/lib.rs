//! The containers' network: a bridge, addresses, published ports, and the files that tell a container of it.
//!
//! [`Network::open`] makes or takes the bridge and begins to keep a few network namespaces ready: loopback up, a veth
//! pair whose one end is inside and whose other end is on the bridge. [`Network::attach`] takes one of them, gives it
//! an address (some 100 µs) and hands it over as a path for the container's shim.
//!
//! ```no_run
//! # fn main() -> Result<(), drydock_network::Error> {
//! use drydock_network::{Bridged, Config, Mode, Network};
//!
//! let network = Network::open(Config::new("/run/drydock"))?;
//! let attachment = network.attach(&drydock_core::Id::random(), &Mode::Bridge(Bridged::default()))?;
//! println!("{:?} {:?}", attachment.namespace(), attachment.record().endpoint);
//! drop(attachment); // Ports close at once; the rest goes on in the background.
//! network.shutdown(); // Waits for that part.
//! # Ok(()) }
//! ```
//!
//! Everything blocks, most of it for microseconds; a runtime calls it from where it may block. Nothing needs a
//! runtime: netlink is spoken on one long-lived socket, and background work has its own threads.
//!
//! A namespace lives as long as its path is mounted or a process is in it. What a killed daemon leaves behind is found
//! again by the path's directory, the interfaces' names and the rule chains' names: [`Network::claim`] takes over what
//! still runs, [`Network::sweep`] removes the rest.

#![forbid(unsafe_code)]

mod addresses;
mod attachment;
mod bridge;
mod bridged;
mod config;
mod dying;
mod error;
mod files;
mod inherited;
mod link;
mod marks;
mod mode;
mod namespace;
mod netlink;
mod network;
mod port;
mod ports;
mod proxy;
mod publish;
mod ready;
mod rules;
mod statistics;
mod teardown;

pub use attachment::{Attachment, Endpoint, Namespace, Record};
pub use config::{Bridge, Cidr, Config, ParseCidrError};
pub use error::Error;
pub use files::{Hosts, ResolvConf, hostname};
pub use link::Link;
pub use mode::{Bridged, Info, Mode};
pub use network::Network;
pub use port::{HostPort, Port, PortRange, Protocol, Publish, Published};
pub use statistics::Statistics;
