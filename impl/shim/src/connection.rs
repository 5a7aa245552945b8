//! The daemon's connections.

use crate::poll::{Poll, Token, Watched};
use drydock_shim_protocol::{
    Answer, Envelope, Event, Hello, Inbox, Message, Outbox, Refusal, Reply, Request, VERSION, WireError,
};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

/// A daemon that does not read what it asked for is let go; it can connect again.
const MAX_WAITING: usize = 1 << 20;

pub(crate) struct Connection {
    socket: Watched,
    inbox: Inbox,
    outbox: Outbox,
    pub(crate) subscribed: bool,
    broken: bool,
}

/// A request with all that came with it.
pub(crate) struct Asked {
    pub(crate) serial: u64,
    pub(crate) request: Request,
    pub(crate) blob: Vec<u8>,
    pub(crate) descriptor: Option<OwnedFd>,
}

impl Connection {
    pub(crate) fn new(poll: &Poll, socket: OwnedFd, id: u32) -> Result<Self, Errno> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = Watched::new(socket, Token::Connection(id));
        let (inbox, outbox) = (Inbox::default(), Outbox::default());
        let mut connection = Self { socket, inbox, outbox, subscribed: false, broken: false };
        let pid = rustix::process::getpid().as_raw_nonzero().get() as u32;
        connection.send(&Message::Hello(Hello { version: VERSION, pid }));
        connection.socket.want(poll, EventFlags::IN)?;
        Ok(connection)
    }

    /// Reads what is there.
    pub(crate) fn fill(&mut self) {
        match self.inbox.fill(&self.socket) {
            Ok(open) => self.broken |= !open,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
    }

    /// The next whole request.
    pub(crate) fn next(&mut self) -> Option<Asked> {
        loop {
            match self.inbox.request() {
                Ok(Some((serial, Envelope { message: request, blob, descriptor }))) => {
                    return Some(Asked { serial, request, blob, descriptor });
                }
                Ok(None) => return None,
                Err(WireError::UnknownRequest { serial, reason }) => {
                    self.reply(serial, Err(Refusal::Malformed(reason)))
                }
                Err(error) => {
                    eprintln!("a request: {error}");
                    self.broken = true;
                    return None;
                }
            }
        }
    }

    pub(crate) fn reply(&mut self, serial: u64, result: Result<Answer, Refusal>) {
        self.send(&Message::Reply(Reply { serial, result }));
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        self.send(&Message::Event(event.clone()));
    }

    /// Sends what waits. `false`: the connection is over.
    pub(crate) fn flush(&mut self, poll: &Poll) -> bool {
        match self.outbox.flush(&self.socket) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, !self.outbox.is_empty());
        self.broken |= self.outbox.waiting() > MAX_WAITING || self.socket.want(poll, flags).is_err();
        !self.broken
    }

    fn send(&mut self, message: &Message) {
        self.broken |= self.outbox.message(message).is_err();
    }
}
