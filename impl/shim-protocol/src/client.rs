//! A client that blocks: for tests, tools, and threads that may wait.

use crate::{Answer, Event, Hello, Inbox, Message, Outbox, Refusal, Reply, Request, VERSION, WireError};
use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ClientError {
    #[error("the shim speaks version {0} of the protocol")]
    Version(u32),
    #[error("the shim is gone")]
    Gone,
    #[error("the shim's words")]
    Wire(#[from] WireError),
    #[error("the shim's socket")]
    Io(#[from] io::Error),
    #[error("refused")]
    Refused(#[source] Refusal),
}

/// A connection to a shim. One request at a time; events that come in between are kept for [`Self::event`].
#[derive(Debug)]
pub struct ShimClient {
    socket: UnixStream,
    inbox: Inbox,
    hello: Hello,
    serial: u64,
    events: VecDeque<Event>,
}

impl ShimClient {
    /// Reads the shim's [`Hello`] from a blocking socket.
    ///
    /// # Errors
    /// `Version` for a shim whose protocol is not ours, and whatever the socket says.
    pub fn new(socket: UnixStream) -> Result<Self, ClientError> {
        let hello = Hello { version: 0, pid: 0 };
        let mut client = Self { socket, inbox: Inbox::default(), hello, serial: 0, events: VecDeque::new() };
        let Message::Hello(hello) = client.receive()? else { return Err(ClientError::Gone) };
        if hello.version != VERSION {
            return Err(ClientError::Version(hello.version));
        }
        client.hello = hello;
        Ok(client)
    }

    /// What the shim said first.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Serial of the last request: a stream's name, when that was an `Attach`.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// `Refused`, and whatever the socket says.
    pub fn call(&mut self, request: Request) -> Result<Answer, ClientError> {
        self.call_with(request, &[], None)
    }

    /// As [`Self::call`], with a blob and a descriptor.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn call_with(
        &mut self,
        request: Request,
        blob: &[u8],
        descriptor: Option<OwnedFd>,
    ) -> Result<Answer, ClientError> {
        self.serial += 1;
        let mut outbox = Outbox::default();
        outbox.request(self.serial, request, blob, descriptor)?;
        outbox.flush(&self.socket)?;
        loop {
            match self.receive()? {
                Message::Reply(Reply { serial, result }) if serial == self.serial => {
                    return result.map_err(ClientError::Refused);
                }
                Message::Event(event) => self.events.push_back(event),
                Message::Hello(_) | Message::Reply(_) => {}
            }
        }
    }

    /// The next event; waits for it.
    ///
    /// # Errors
    /// `Gone` when the shim ends, and whatever the socket says.
    pub fn event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if let Message::Event(event) = self.receive()? {
                self.events.push_back(event);
            }
        }
    }

    fn receive(&mut self) -> Result<Message, ClientError> {
        loop {
            if let Some(envelope) = self.inbox.message()? {
                return Ok(envelope.message);
            }
            if !self.inbox.fill(&self.socket)? {
                return Err(ClientError::Gone);
            }
        }
    }
}
