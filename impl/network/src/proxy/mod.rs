//! The proxy: reaches containers' published ports where rules do not lead, above all from the host's loopback.
//!
//! One thread serves all of them. TCP goes through pipes in the kernel (`splice`), never through memory of ours; a
//! connection holds a pipe only while bytes are in it. A slow reader holds up its own connection and no other. Half
//! closes are passed on, so that a client which has said everything still gets its answer.

mod datagrams;
mod listener;
mod pipes;
mod stream;

pub(crate) use listener::Listener;

use crate::Error;
use datagrams::Datagrams;
use pipes::Pipes;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use stream::Connection;

/// How often datagram clients that went silent are looked for.
const ROUND: Duration = Duration::from_secs(10);
/// Events taken at once.
const EVENTS: usize = 256;
/// The token of [`Shared::wake`].
const WAKE: u64 = 0;

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// Held while one event is served, which never waits.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    served: HashMap<u64, Served>,
    /// Those that had their turn and could go on at once.
    again: VecDeque<u64>,
    pipes: Pipes,
    stopping: bool,
}

/// What a token stands for.
#[derive(Debug)]
enum Served {
    Listener {
        socket: TcpListener,
        target: SocketAddrV4,
    },
    Connection {
        connection: Connection,
        listener: u64,
    },
    Datagrams(Datagrams),
    /// The socket of one client of a [`Served::Datagrams`].
    DatagramClient {
        listener: u64,
    },
}

impl State {
    fn token(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, socket: impl AsFd, token: u64, flags: epoll::EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), flags)?)
    }

    fn serve(&self) {
        let mut events = Vec::with_capacity(EVENTS);
        let mut datagram = vec![0; datagrams::LARGEST];
        let mut next_round = Instant::now() + ROUND;
        loop {
            let wait = if self.lock().again.is_empty() {
                next_round.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            let timeout = rustix::event::Timespec::try_from(wait).ok();
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // The descriptor is ours and stays open: nothing else is to be expected.
                Err(_) => return,
            }
            let again = std::mem::take(&mut self.lock().again);
            for token in events.iter().map(|event| event.data.u64()).chain(again) {
                let mut state = self.lock();
                if state.stopping {
                    return;
                }
                self.turn(&mut state, token, &mut datagram);
            }
            if Instant::now() >= next_round {
                next_round = Instant::now() + ROUND;
                self.forget_silent(&mut self.lock());
            }
        }
    }

    /// Serves what a token stands for, which may be gone by now. `buffer` holds any datagram.
    fn turn(&self, state: &mut State, token: u64, buffer: &mut [u8]) {
        let Some(served) = state.served.remove(&token) else { return };
        match served {
            Served::Listener { socket, target } => {
                self.accept(state, token, &socket, target);
                state.served.insert(token, Served::Listener { socket, target });
            }
            Served::Connection { mut connection, listener } => {
                let turn = connection.turn(&mut state.pipes);
                match turn {
                    stream::Turn::Over => connection.end(&mut state.pipes),
                    stream::Turn::Waits | stream::Turn::GoesOn => {
                        if matches!(turn, stream::Turn::GoesOn) {
                            state.again.push_back(token);
                        }
                        state.served.insert(token, Served::Connection { connection, listener });
                    }
                }
            }
            Served::Datagrams(mut datagrams) => {
                for client in datagrams.forward(buffer, || state.token()) {
                    let watched = self.watch(&client.socket, client.token, epoll::EventFlags::IN);
                    if watched.is_ok() {
                        state.served.insert(client.token, Served::DatagramClient { listener: token });
                        datagrams.admit(client);
                    }
                }
                state.served.insert(token, Served::Datagrams(datagrams));
            }
            Served::DatagramClient { listener } => {
                if let Some(Served::Datagrams(datagrams)) = state.served.get_mut(&listener)
                    && datagrams.answer(token, buffer)
                {
                    state.served.insert(token, Served::DatagramClient { listener });
                }
            }
        }
    }

    fn accept(&self, state: &mut State, listener: u64, socket: &TcpListener, target: SocketAddrV4) {
        loop {
            match socket.accept() {
                Ok((client, _)) => {
                    // A client whose container is not to be reached sees a connection that closes, as with the
                    // genuine proxy.
                    let Ok(connection) = Connection::open(client, target) else { continue };
                    let token = state.token();
                    let flags = epoll::EventFlags::IN
                        | epoll::EventFlags::OUT
                        | epoll::EventFlags::RDHUP
                        | epoll::EventFlags::ET;
                    let watched =
                        connection.sockets().into_iter().try_for_each(|socket| self.watch(socket, token, flags));
                    if watched.is_ok() {
                        state.served.insert(token, Served::Connection { connection, listener });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                // No descriptors or no memory: the client stays in the queue, and we do not spin.
                Err(_) => return thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn forget_silent(&self, state: &mut State) {
        let mut silent = Vec::new();
        for served in state.served.values_mut() {
            if let Served::Datagrams(datagrams) = served {
                silent.extend(datagrams.forget_silent());
            }
        }
        for token in silent {
            state.served.remove(&token);
        }
    }

    /// Ends a listener with all that came by it.
    fn remove(&self, listener: u64) {
        let state = &mut *self.lock();
        state.served.remove(&listener);
        let pipes = &mut state.pipes;
        state.served.retain(|_, served| match served {
            Served::Connection { connection, listener: of } if *of == listener => {
                connection.end(pipes);
                false
            }
            Served::DatagramClient { listener: of } => *of != listener,
            _ => true,
        });
    }
}

impl Proxy {
    /// Starts serving, in the network namespace of the calling thread.
    pub(crate) fn start() -> Result<Self, Error> {
        let start = || -> io::Result<Self> {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let shared = Arc::new(Shared { epoll, wake, state: Mutex::default() });
            shared.watch(&shared.wake, WAKE, epoll::EventFlags::IN)?;
            let server = thread::Builder::new().name("port-proxy".to_owned()).spawn({
                let shared = Arc::clone(&shared);
                move || shared.serve()
            })?;
            Ok(Self { shared, server: Some(server) })
        };
        start().map_err(|source| Error::Run { program: "the port proxy", source })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        let _ = rustix::io::write(&self.shared.wake, &1_u64.to_ne_bytes());
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}
