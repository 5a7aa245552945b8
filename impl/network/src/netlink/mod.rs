//! Netlink, as far as containers need it: links, addresses, routes.
//!
//! A [`Socket`] belongs to the network namespace of the thread that opened it, for good: that is how a container's
//! interface is set up without entering its namespace. One request is one datagram, however many messages it holds;
//! the kernel has done all of them when the call returns.

mod link;
mod message;
mod route;
mod socket;

pub(crate) use link::{
    Veth, bridge, dump_links, link_by_name, remove_link, rename_and_set_up, set_alias, set_container_link, set_hairpin,
    set_link_up,
};
pub(crate) use route::{add_address, add_default_route, dump_addresses, dump_routes};
pub(crate) use socket::Socket;
