//! A port of the host that is listened on.

use super::datagrams::Datagrams;
use super::{Proxy, Served, Shared};
use crate::Protocol;
use crate::ports::Taken;
use rustix::event::epoll::EventFlags;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::sync::Arc;

/// Connections that wait to be accepted, at most.
const BACKLOG: i32 = 4096;

/// A port that is listened on. Dropping it closes the port and ends all connections by it.
#[derive(Debug)]
pub(crate) enum Listener {
    /// Served by the proxy.
    Served {
        /// Held open.
        _serving: Serving,
    },
    /// Not served; other programs cannot take it.
    Reserved {
        /// Held open.
        _socket: Socket,
    },
}

#[derive(Debug)]
pub(crate) struct Serving {
    shared: Arc<Shared>,
    token: u64,
}

#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Listener {
    /// `target`: the container's address and port.
    pub(crate) fn open(port: &Taken, target: (Ipv4Addr, u16), proxy: Option<&Proxy>) -> io::Result<Self> {
        let socket = Socket::open(port)?;
        let Some(proxy) = proxy else { return Ok(Self::Reserved { _socket: socket }) };
        let target = SocketAddrV4::new(target.0, target.1);
        let shared = Arc::clone(&proxy.shared);
        let mut state = shared.lock();
        let token = state.token();
        match socket {
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                shared.watch(&socket, token, EventFlags::IN)?;
                state.served.insert(token, Served::Listener { socket, target });
            }
            Socket::Udp(socket) => {
                socket.set_nonblocking(true)?;
                shared.watch(&socket, token, EventFlags::IN)?;
                state.served.insert(token, Served::Datagrams(Datagrams::new(socket, target)));
            }
        }
        drop(state);
        Ok(Self::Served { _serving: Serving { shared, token } })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.shared.remove(self.token);
    }
}

impl Socket {
    /// Of both families, where all addresses are meant: the genuine proxy is reached at `::1`, too (recording
    /// `network/published`).
    fn open(port: &Taken) -> io::Result<Self> {
        if port.address == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
            match Self::bind(port.protocol, Ipv6Addr::UNSPECIFIED.into(), port.number) {
                // The kernel has no IPv6, or it is switched off.
                Err(error) if !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {}
                result => return result,
            }
        }
        Self::bind(port.protocol, port.address, port.number)
    }

    fn bind(protocol: Protocol, address: IpAddr, port: u16) -> io::Result<Self> {
        match protocol {
            Protocol::Tcp => {
                let socket = TcpListener::bind((address, port))?;
                rustix::net::listen(&socket, BACKLOG)?;
                Ok(Self::Tcp(socket))
            }
            Protocol::Udp => Ok(Self::Udp(UdpSocket::bind((address, port))?)),
        }
    }
}
