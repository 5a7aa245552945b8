//! Addresses and routes, IPv4.

use super::message::{Message, attributes, u32_at};
use super::socket::Socket;
use crate::Cidr;
use nix::libc;
use std::io;
use std::net::Ipv4Addr;

/// Bytes of `struct ifaddrmsg` and `struct rtmsg`.
const ADDRESS: usize = 8;
const ROUTE: usize = 12;
const CREATE: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;

pub(crate) fn add_address(link: u32, address: Cidr) -> Message {
    let index = link.to_ne_bytes();
    let fixed = [libc::AF_INET as u8, address.prefix_len, 0, libc::RT_SCOPE_UNIVERSE];
    Message::new(libc::RTM_NEWADDR, CREATE, &[fixed, index].concat())
        .attribute(libc::IFA_LOCAL, &address.address.octets())
        .attribute(libc::IFA_ADDRESS, &address.address.octets())
}

pub(crate) fn add_default_route(link: u32, gateway: Ipv4Addr) -> Message {
    let mut fixed = [0; ROUTE];
    fixed[0] = libc::AF_INET as u8;
    fixed[4] = libc::RT_TABLE_MAIN;
    fixed[5] = libc::RTPROT_BOOT;
    fixed[6] = libc::RT_SCOPE_UNIVERSE;
    fixed[7] = libc::RTN_UNICAST;
    Message::new(libc::RTM_NEWROUTE, CREATE, &fixed)
        .attribute(libc::RTA_GATEWAY, &gateway.octets())
        .number(libc::RTA_OIF, link)
}

/// All addresses: link and address.
pub(crate) fn dump_addresses(socket: &Socket) -> io::Result<Vec<(u32, Cidr)>> {
    let mut addresses = Vec::new();
    let fixed = [libc::AF_INET as u8, 0, 0, 0, 0, 0, 0, 0];
    socket.ask(Message::new(libc::RTM_GETADDR, 0, &fixed), true, |_, body| {
        let local = attributes(body, ADDRESS).find(|(kind, _)| *kind == libc::IFA_LOCAL);
        if let (Some(prefix_len), Some(link), Some(address)) =
            (body.get(1), u32_at(body, 4), local.and_then(|(_, value)| ipv4(value)))
        {
            addresses.push((link, Cidr { address, prefix_len: *prefix_len }));
        }
    })?;
    Ok(addresses)
}

/// The networks that the main table has routes to, without the default route.
pub(crate) fn dump_routes(socket: &Socket) -> io::Result<Vec<Cidr>> {
    let mut routes = Vec::new();
    let mut fixed = [0; ROUTE];
    fixed[0] = libc::AF_INET as u8;
    socket.ask(Message::new(libc::RTM_GETROUTE, 0, &fixed), true, |_, body| {
        let destination = attributes(body, ROUTE).find(|(kind, _)| *kind == libc::RTA_DST);
        if let (Some(&prefix_len), Some(&libc::RT_TABLE_MAIN), Some(address)) =
            (body.get(1), body.get(4), destination.and_then(|(_, value)| ipv4(value)))
        {
            routes.push(Cidr { address, prefix_len });
        }
    })?;
    Ok(routes)
}

fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    Some(<[u8; 4]>::try_from(value).ok()?.into())
}
