//! Datagrams through the proxy: a socket for each client, so that the container's answers find their way back.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

/// A client that is silent for so long is forgotten, as with the genuine proxy.
const SILENCE: Duration = Duration::from_secs(90);
/// Clients at a time; the one that is silent for longest makes room for the next.
const CLIENTS: usize = 1024;
/// Datagrams of one turn.
const TURN: usize = 64;
/// The largest there is.
pub(super) const LARGEST: usize = 65_535;

/// A published port of datagrams.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    target: SocketAddrV4,
    clients: HashMap<SocketAddr, Client>,
    by_token: HashMap<u64, SocketAddr>,
}

#[derive(Debug)]
struct Client {
    socket: UdpSocket,
    token: u64,
    heard: Instant,
}

/// A client that was not known, its first datagram sent on.
#[derive(Debug)]
pub(super) struct NewClient {
    pub(super) socket: UdpSocket,
    pub(super) token: u64,
    address: SocketAddr,
}

impl Datagrams {
    pub(super) fn new(socket: UdpSocket, target: SocketAddrV4) -> Self {
        Self { socket, target, clients: HashMap::new(), by_token: HashMap::new() }
    }

    /// Sends on what came; answers clients that were not known, for [`Self::admit`]. Datagrams may be lost, here as
    /// anywhere.
    pub(super) fn forward(&mut self, buffer: &mut [u8], mut token: impl FnMut() -> u64) -> Vec<NewClient> {
        let mut new: Vec<NewClient> = Vec::new();
        for _ in 0..TURN {
            let Ok((len, from)) = self.socket.recv_from(buffer) else { break };
            let datagram = &buffer[..len];
            if let Some(client) = self.clients.get_mut(&from) {
                client.heard = Instant::now();
                let _ = client.socket.send(datagram);
            } else if let Some(client) = new.iter().find(|client| client.address == from) {
                let _ = client.socket.send(datagram);
            } else if let Ok(socket) = connected(self.target) {
                let _ = socket.send(datagram);
                new.push(NewClient { socket, token: token(), address: from });
            }
        }
        new
    }

    pub(super) fn admit(&mut self, client: NewClient) {
        if self.clients.len() >= CLIENTS
            && let Some(oldest) = self.clients.iter().min_by_key(|(_, client)| client.heard).map(|(from, _)| *from)
        {
            self.forget(oldest);
        }
        let NewClient { socket, token, address } = client;
        self.by_token.insert(token, address);
        self.clients.insert(address, Client { socket, token, heard: Instant::now() });
    }

    /// Sends back what a container answered; `false`: there is no such client any more.
    pub(super) fn answer(&mut self, token: u64, buffer: &mut [u8]) -> bool {
        let Some(address) = self.by_token.get(&token) else { return false };
        let Some(client) = self.clients.get_mut(address) else { return false };
        client.heard = Instant::now();
        for _ in 0..TURN {
            match client.socket.recv(buffer) {
                Ok(len) => {
                    let _ = self.socket.send_to(&buffer[..len], address);
                }
                // Nobody listens there, so far: the error is spent by telling it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        true
    }

    /// Forgets silent clients; answers their tokens.
    pub(super) fn forget_silent(&mut self) -> Vec<u64> {
        let silent: Vec<_> =
            self.clients.iter().filter(|(_, client)| client.heard.elapsed() > SILENCE).map(|(from, _)| *from).collect();
        silent.into_iter().filter_map(|from| self.forget(from)).collect()
    }

    fn forget(&mut self, from: SocketAddr) -> Option<u64> {
        let client = self.clients.remove(&from)?;
        self.by_token.remove(&client.token);
        Some(client.token)
    }
}

fn connected(target: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_nonblocking(true)?;
    socket.connect(target)?;
    Ok(socket)
}
