//! Waiting for many descriptors at once.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// Whose descriptor it is. Sessions: 0 is the first process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Listener,
    Connection(u32),
    /// A process's end.
    Exit(u32),
    /// A pipe's or terminal's output: of a session, which stream.
    Output(u32, u8),
    /// A process's stdin takes more.
    Input(u32),
    /// A client of a session.
    Client(u32, u32),
    OutOfMemory,
    /// The log's receiver takes more.
    Log,
}

impl Token {
    fn pack(self) -> u64 {
        let word =
            |kind: u64, session: u32, rest: u32| kind << 56 | u64::from(session & 0xff_ffff) << 32 | u64::from(rest);
        match self {
            Self::Listener => word(0, 0, 0),
            Self::Connection(id) => word(1, 0, id),
            Self::Exit(session) => word(2, session, 0),
            Self::Output(session, stream) => word(3, session, u32::from(stream)),
            Self::Input(session) => word(4, session, 0),
            Self::Client(session, id) => word(5, session, id),
            Self::OutOfMemory => word(6, 0, 0),
            Self::Log => word(7, 0, 0),
        }
    }

    fn unpack(word: u64) -> Self {
        let (session, rest) = ((word >> 32) as u32 & 0xff_ffff, word as u32);
        match word >> 56 {
            0 => Self::Listener,
            1 => Self::Connection(rest),
            2 => Self::Exit(session),
            3 => Self::Output(session, rest as u8),
            4 => Self::Input(session),
            5 => Self::Client(session, rest),
            6 => Self::OutOfMemory,
            _ => Self::Log,
        }
    }
}

/// What happened to a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    pub(crate) flags: EventFlags,
}

impl Ready {
    pub(crate) fn writable(self) -> bool {
        self.flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR)
    }

    /// The other side is gone altogether; a half-close is not this.
    pub(crate) fn hung_up(self) -> bool {
        self.flags.intersects(EventFlags::HUP | EventFlags::ERR)
    }
}

pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// Events taken in one call.
const BATCH: usize = 32;

impl Poll {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(BATCH) })
    }

    /// Waits, for ever without a timeout, and puts what happened in `ready`.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> Result<(), Errno> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let happened = |event: &Event| {
            let (data, flags) = (event.data, event.flags);
            Ready { token: Token::unpack(data.u64()), flags }
        };
        ready.clear();
        ready.extend(self.events.iter().map(happened));
        Ok(())
    }
}

/// A descriptor that is waited for as its owner says. Dropping it ends the wait, as closing does.
#[derive(Debug)]
pub(crate) struct Watched {
    descriptor: OwnedFd,
    token: Token,
    wanted: Option<EventFlags>,
}

impl Watched {
    pub(crate) fn new(descriptor: OwnedFd, token: Token) -> Self {
        Self { descriptor, token, wanted: None }
    }

    /// Waits for `flags` from now on (with none: for a hang-up alone).
    pub(crate) fn want(&mut self, poll: &Poll, flags: EventFlags) -> Result<(), Errno> {
        let data = EventData::new_u64(self.token.pack());
        match self.wanted {
            Some(wanted) if wanted == flags => return Ok(()),
            Some(_) => epoll::modify(&poll.epoll, &self.descriptor, data, flags)?,
            None => epoll::add(&poll.epoll, &self.descriptor, data, flags)?,
        }
        self.wanted = Some(flags);
        Ok(())
    }

    /// Waits for nothing.
    pub(crate) fn pause(&mut self, poll: &Poll) {
        if self.wanted.take().is_some() {
            let _ = epoll::delete(&poll.epoll, &self.descriptor); // It was added, and is open.
        }
    }

    /// Its descriptor, for whoever waits for it elsewhere.
    pub(crate) fn into_inner(mut self, poll: &Poll) -> OwnedFd {
        self.pause(poll);
        self.descriptor
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back() {
        for token in [
            Token::Listener,
            Token::Connection(7),
            Token::Exit(3),
            Token::Output(0xff_ffff, 1),
            Token::Input(2),
            Token::Client(9, u32::MAX),
            Token::OutOfMemory,
            Token::Log,
        ] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
