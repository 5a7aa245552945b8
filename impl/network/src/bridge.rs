//! The bridge: taken or made.

use crate::marks::Marks;
use crate::netlink::{
    Socket, add_address, bridge, dump_addresses, dump_routes, link_by_name, remove_link, rename_and_set_up, set_alias,
    set_link_up,
};
use crate::{Bridge, Cidr, Config, Error};
use drydock_core::fault;
use std::fs;
use std::io;
use std::net::Ipv4Addr;

/// A bridge with an address.
#[derive(Clone, Debug)]
pub(crate) struct BridgeLink {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) address: Cidr,
}

/// The genuine daemon's default name. Only where nobody has it: an installed Docker keeps its own.
pub(crate) const DOCKER0: &str = "docker0";
/// How many daemons of ours get a bridge of their own on one machine.
const OURS: u32 = 16;

fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Netlink { what, source }
}

/// `None`: there is to be none. `marks` are this daemon's.
pub(crate) fn open(config: &Config, marks: &Marks, host: &Socket) -> Result<Option<BridgeLink>, Error> {
    let found = match &config.bridge {
        Bridge::None => return Ok(None),
        Bridge::Named(name) => named(name, host)?,
        Bridge::Default => default(config, marks, host)?,
    };
    match config.bip {
        Some(wanted) if wanted != found.address => {
            Err(Error::BridgeAddress { bridge: found.name, found: found.address, wanted })
        }
        _ => Ok(Some(found)),
    }
}

fn named(name: &str, host: &Socket) -> Result<BridgeLink, Error> {
    let link = link_by_name(host, name).map_err(failed("looking for the bridge"))?;
    let index = link.ok_or_else(|| Error::BridgeMissing(name.to_owned()))?.index;
    let addresses = dump_addresses(host).map_err(failed("reading addresses"))?;
    let address = addresses.into_iter().find(|(link, _)| *link == index);
    let (_, address) = address.ok_or_else(|| Error::BridgeWithoutAddress(name.to_owned()))?;
    host.request([set_link_up(index)]).map_err(failed("setting the bridge up"))?;
    Ok(BridgeLink { name: name.to_owned(), index, address })
}

/// The one that an earlier life of this daemon made, or a new one of the first name that nobody has.
fn default(config: &Config, marks: &Marks, host: &Socket) -> Result<BridgeLink, Error> {
    let names = std::iter::once(DOCKER0.to_owned()).chain((0..OURS).map(|number| format!("drydock{number}")));
    let mut free = None;
    for name in names {
        match link_by_name(host, &name).map_err(failed("looking for the bridge"))? {
            Some(link) if link.alias == marks.alias && link.kind == "bridge" => return named(&name, host),
            Some(_) => {}
            None => {
                free.get_or_insert(name);
            }
        }
    }
    let name = free.ok_or(Error::NoFreeBridge)?;
    let address = match config.bip {
        Some(address) => address,
        None => free_network(host)?,
    };
    make(&name, address, marks, host)
}

/// Until it is whole, a new bridge has a name by which this daemon knows that it was killed half way.
fn make(name: &str, address: Cidr, marks: &Marks, host: &Socket) -> Result<BridgeLink, Error> {
    let failed = failed("making the bridge");
    let unfinished = &format!("{}-bridge", marks.prefix);
    if let Some(link) = link_by_name(host, unfinished).map_err(&failed)? {
        host.request([remove_link(link.index)]).map_err(&failed)?;
    }
    fault::point("network.bridge.create").map_err(&failed)?;
    host.request([bridge(unfinished, mac(address.address))]).map_err(&failed)?;
    let link = link_by_name(host, unfinished).map_err(&failed)?;
    let index = link.ok_or_else(|| Error::BridgeMissing(unfinished.to_owned()))?.index;
    let finish = || -> io::Result<()> {
        fault::point("network.bridge.finish")?;
        host.request([add_address(index, address), set_alias(index, &marks.alias)])?;
        host.request([rename_and_set_up(index, name)])
    };
    finish().map_err(|source| {
        let _ = host.request([remove_link(index)]);
        failed(source)
    })?;
    Ok(BridgeLink { name: name.to_owned(), index, address })
}

/// The hardware address that goes with an address.
pub(crate) fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// The first of the genuine daemon's networks that neither a route nor a name server lies in.
fn free_network(host: &Socket) -> Result<Cidr, Error> {
    let mut taken = dump_routes(host).map_err(failed("reading routes"))?;
    taken.extend(dump_addresses(host).map_err(failed("reading addresses"))?.into_iter().map(|(_, address)| address));
    let resolver = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = resolver.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
    taken.extend(servers.map(|address| Cidr { address, prefix_len: 32 }));
    candidates().find(|network| !taken.iter().any(|other| other.overlaps(*network))).ok_or(Error::NoFreeNetwork)
}

fn candidates() -> impl Iterator<Item = Cidr> {
    let large = [[172, 17, 42, 1], [10, 0, 42, 1], [10, 1, 42, 1], [10, 42, 42, 1]];
    let small =
        [42, 43, 44].into_iter().flat_map(|third| [[172, 16, third, 1], [10, 0, third, 1], [192, 168, third, 1]]);
    let cidr = |prefix_len| move |octets: [u8; 4]| Cidr { address: octets.into(), prefix_len };
    large.into_iter().map(cidr(16)).chain(small.map(cidr(24)))
}
