//! A TCP connection through the proxy.

use super::pipes::{Pipe, Pipes};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};
use std::io;
use std::net::{Shutdown, SocketAddrV4, TcpStream};

/// Pipefuls that one direction moves before it is another's turn.
const TURN: usize = 16;

/// A client's connection and the container's.
#[derive(Debug)]
pub(super) struct Connection {
    client: TcpStream,
    container: TcpStream,
    connected: bool,
    to_container: Direction,
    to_client: Direction,
}

/// What became of a connection's turn.
#[derive(Debug)]
pub(super) enum Turn {
    /// Until a socket is ready.
    Waits,
    /// It could go on at once.
    GoesOn,
    Over,
}

#[derive(Debug, Default)]
struct Direction {
    /// Held while bytes are in it.
    pipe: Option<Pipe>,
    /// The source has ended.
    ended: bool,
    /// And the sink was told.
    done: bool,
}

impl Connection {
    /// Begins to connect to the container.
    pub(super) fn open(client: TcpStream, target: SocketAddrV4) -> io::Result<Self> {
        client.set_nonblocking(true)?;
        client.set_nodelay(true)?;
        // A client that vanished without a word would be served for ever.
        sockopt::set_socket_keepalive(&client, true)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let container = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&container, true)?;
        match connect(&container, &target) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (to_container, to_client) = Default::default();
        Ok(Self { client, container: container.into(), connected: false, to_container, to_client })
    }

    pub(super) fn sockets(&self) -> [&TcpStream; 2] {
        [&self.client, &self.container]
    }

    pub(super) fn turn(&mut self, pipes: &mut Pipes) -> Turn {
        if !self.connected {
            match self.container.peer_addr() {
                Ok(_) => self.connected = true,
                Err(_) => {
                    return match self.container.take_error() {
                        Ok(None) => Turn::Waits,
                        _ => Turn::Over,
                    };
                }
            }
        }
        let there = self.to_container.pump(&self.client, &self.container, pipes);
        let back = self.to_client.pump(&self.container, &self.client, pipes);
        match (there, back) {
            (Ok(_), Ok(_)) if self.to_container.done && self.to_client.done => Turn::Over,
            (Ok(false), Ok(false)) => Turn::Waits,
            (Ok(_), Ok(_)) => Turn::GoesOn,
            // One side is gone: what it said last was passed on by then, as far as it could be.
            _ => Turn::Over,
        }
    }

    /// Gives the pipes back.
    pub(super) fn end(&mut self, pipes: &mut Pipes) {
        for direction in [&mut self.to_container, &mut self.to_client] {
            if let Some(pipe) = direction.pipe.take() {
                pipes.give_back(pipe);
            }
        }
    }
}

impl Direction {
    /// Moves what can be moved; `true`: there may be more to move at once.
    fn pump(&mut self, source: &TcpStream, sink: &TcpStream, pipes: &mut Pipes) -> io::Result<bool> {
        for _ in 0..TURN {
            if self.done {
                return Ok(false);
            }
            let pipe = match &mut self.pipe {
                Some(pipe) => pipe,
                None => self.pipe.insert(pipes.take()?),
            };
            let filled = if self.ended { None } else { ready(pipe.fill(source))? };
            self.ended |= filled == Some(0);
            let drained = if pipe.is_empty() { None } else { ready(pipe.drain(sink))? };
            if pipe.is_empty() {
                if let Some(pipe) = self.pipe.take() {
                    pipes.give_back(pipe);
                }
                if self.ended {
                    sink.shutdown(Shutdown::Write)?;
                    self.done = true;
                }
            }
            if filled.is_none() && drained.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// `None`: not now.
fn ready(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(moved) => Ok(Some(moved)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
