//! Links: the bridge, pairs, what goes over them.

use super::message::{Message, attributes, text, u16_at, u32_at, u64_at};
use super::socket::Socket;
use crate::Statistics;
use crate::marks::Marks;
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_MULTICAST: u32 = libc::IFF_MULTICAST as u32;
/// Bytes of `struct ifinfomsg`.
const INFO: usize = 16;
const VETH_INFO_PEER: u16 = 1;
const IFLA_BRPORT_MODE: u16 = 4;
/// Where `struct rtnl_link_stats64` keeps: packets, bytes, errors, dropped; received ones at even places.
const STATS64: [usize; 8] = [0, 8, 16, 24, 32, 40, 48, 56];

/// A link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) alias: String,
    /// `bridge`, `veth`…; empty for hardware.
    pub(crate) kind: String,
    /// As the kernel of the link's own side counts.
    pub(crate) statistics: Statistics,
}

impl Link {
    /// Whether this is the host's end of a container's pair.
    pub(crate) fn is_container_end_of(&self, daemon: &Marks) -> bool {
        self.kind == "veth" && self.alias == daemon.alias
    }
}

fn info(family: i32, index: u32, flags: u32, change: u32) -> [u8; INFO] {
    let mut info = [0; INFO];
    info[0] = family as u8;
    info[4..8].copy_from_slice(&index.to_ne_bytes());
    info[8..12].copy_from_slice(&flags.to_ne_bytes());
    info[12..].copy_from_slice(&change.to_ne_bytes());
    info
}

const CREATE: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;

/// Makes a bridge, down. With a hardware address of its own it keeps it, whatever joins.
pub(crate) fn bridge(name: &str, mac: [u8; 6]) -> Message {
    Message::new(libc::RTM_NEWLINK, CREATE, &info(libc::AF_UNSPEC, 0, 0, 0))
        .text(libc::IFLA_IFNAME, name)
        .attribute(libc::IFLA_ADDRESS, &mac)
        .nest(libc::IFLA_LINKINFO, &[], |link| link.text(libc::IFLA_INFO_KIND, "bridge"))
}

/// A pair: one end here, up and on a bridge, the other in a namespace, down.
pub(crate) struct Veth<'a> {
    pub(crate) name: &'a str,
    /// Index.
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    pub(crate) peer: &'a str,
    pub(crate) namespace: BorrowedFd<'a>,
}

impl Veth<'_> {
    pub(crate) fn create(&self) -> Message {
        Message::new(libc::RTM_NEWLINK, CREATE, &info(libc::AF_UNSPEC, 0, IFF_UP, IFF_UP))
            .text(libc::IFLA_IFNAME, self.name)
            .number(libc::IFLA_MTU, self.mtu)
            .number(libc::IFLA_MASTER, self.bridge)
            .nest(libc::IFLA_LINKINFO, &[], |link| {
                link.text(libc::IFLA_INFO_KIND, "veth").nest(libc::IFLA_INFO_DATA, &[], |data| {
                    data.nest(VETH_INFO_PEER, &info(libc::AF_UNSPEC, 0, 0, 0), |peer| {
                        peer.text(libc::IFLA_IFNAME, self.peer)
                            .number(libc::IFLA_MTU, self.mtu)
                            .attribute(libc::IFLA_NET_NS_FD, &self.namespace.as_raw_fd().to_ne_bytes())
                    })
                })
            })
    }
}

/// Sets a link up.
pub(crate) fn set_link_up(index: u32) -> Message {
    Message::new(libc::RTM_NEWLINK, 0, &info(libc::AF_UNSPEC, index, IFF_UP, IFF_UP))
}

/// Sets a container's link up, as it is to look like: `queue` counts packets.
pub(crate) fn set_container_link(index: u32, mac: [u8; 6], multicast: bool, queue: u32) -> Message {
    let flags = if multicast { IFF_UP | IFF_MULTICAST } else { IFF_UP };
    Message::new(libc::RTM_NEWLINK, 0, &info(libc::AF_UNSPEC, index, flags, IFF_UP | IFF_MULTICAST))
        .attribute(libc::IFLA_ADDRESS, &mac)
        .number(libc::IFLA_TXQLEN, queue)
}

/// Marks a link, for people and for a later daemon. (The kernel takes no alias with a link's creation.)
pub(crate) fn set_alias(index: u32, alias: &str) -> Message {
    Message::new(libc::RTM_NEWLINK, 0, &info(libc::AF_UNSPEC, index, 0, 0)).text(libc::IFLA_IFALIAS, alias)
}

/// Renames a link that is down, and sets it up.
pub(crate) fn rename_and_set_up(index: u32, name: &str) -> Message {
    set_link_up(index).text(libc::IFLA_IFNAME, name)
}

/// Lets a port of a bridge send back what came from it: a container then reaches itself by the host's address.
pub(crate) fn set_hairpin(index: u32) -> Message {
    Message::new(libc::RTM_SETLINK, 0, &info(libc::AF_BRIDGE, index, 0, 0)).nest(
        libc::IFLA_PROTINFO | libc::NLA_F_NESTED as u16,
        &[],
        |port| port.attribute(IFLA_BRPORT_MODE, &[1]),
    )
}

pub(crate) fn remove_link(index: u32) -> Message {
    Message::new(libc::RTM_DELLINK, 0, &info(libc::AF_UNSPEC, index, 0, 0))
}

/// All links.
pub(crate) fn dump_links(socket: &Socket) -> io::Result<Vec<Link>> {
    let mut links = Vec::new();
    let question = Message::new(libc::RTM_GETLINK, 0, &info(libc::AF_UNSPEC, 0, 0, 0));
    socket.ask(question, true, |_, body| links.extend(parse(body)))?;
    Ok(links)
}

/// One link; `None`: there is none of that name.
pub(crate) fn link_by_name(socket: &Socket, name: &str) -> io::Result<Option<Link>> {
    let question = Message::new(libc::RTM_GETLINK, 0, &info(libc::AF_UNSPEC, 0, 0, 0)).text(libc::IFLA_IFNAME, name);
    let mut link = None;
    match socket.ask(question, false, |_, body| link = parse(body)) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
        result => result.map(|()| link),
    }
}

fn parse(body: &[u8]) -> Option<Link> {
    let mut link = Link { index: u32_at(body, 4)?, ..Link::default() };
    for (kind, value) in attributes(body, INFO) {
        match kind {
            libc::IFLA_IFNAME => text(value).clone_into(&mut link.name),
            libc::IFLA_IFALIAS => text(value).clone_into(&mut link.alias),
            libc::IFLA_STATS64 => link.statistics = statistics(value).unwrap_or_default(),
            libc::IFLA_LINKINFO => {
                let kind = attributes(value, 0).find(|(kind, _)| *kind == libc::IFLA_INFO_KIND);
                text(kind.unwrap_or_default().1).clone_into(&mut link.kind);
            }
            _ => {}
        }
    }
    u16_at(body, 2).map(|_| link)
}

fn statistics(value: &[u8]) -> Option<Statistics> {
    let [rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped] =
        STATS64.map(|at| u64_at(value, at));
    Some(Statistics {
        rx_bytes: rx_bytes?,
        rx_packets: rx_packets?,
        rx_errors: rx_errors?,
        rx_dropped: rx_dropped?,
        tx_bytes: tx_bytes?,
        tx_packets: tx_packets?,
        tx_errors: tx_errors?,
        tx_dropped: tx_dropped?,
    })
}
