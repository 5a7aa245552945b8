//! What clients type, on its way to a process's stdin.

use crate::poll::{Poll, Watched};
use rustix::event::epoll::EventFlags;
use rustix::io::{Errno, retry_on_intr};

/// A process's stdin, as far as there is one.
#[derive(Default)]
pub(crate) struct Input {
    stdin: Option<Watched>,
    /// What the process has not taken yet. While there is something, clients are not read, so it stays one read long.
    waiting: Vec<u8>,
    /// Ends once nothing waits.
    ending: bool,
}

impl Input {
    pub(crate) fn new(stdin: Option<Watched>) -> Self {
        Self { stdin, ..Self::default() }
    }

    /// Whether clients may be read. A process that takes no input, or none any more, has room for any amount.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The descriptor, which of a terminal is the terminal.
    pub(crate) fn stdin(&self) -> Option<&Watched> {
        self.stdin.as_ref()
    }

    /// Gives bytes to the process; what it does not take at once waits.
    pub(crate) fn write(&mut self, poll: &Poll, bytes: &[u8]) {
        if self.stdin.is_none() || self.ending {
            return;
        }
        self.waiting.extend_from_slice(bytes);
        self.flush(poll);
    }

    /// Gives it what waits.
    pub(crate) fn flush(&mut self, poll: &Poll) {
        let Some(stdin) = &mut self.stdin else { return };
        let mut taken = 0;
        let open = loop {
            if taken == self.waiting.len() {
                break !self.ending;
            }
            match retry_on_intr(|| rustix::io::write(&*stdin, &self.waiting[taken..])) {
                Ok(length) => taken += length,
                Err(Errno::AGAIN) => break stdin.want(poll, EventFlags::OUT).is_ok(),
                Err(_) => break false, // The process has closed its stdin: nobody will read this.
            }
        };
        self.waiting.drain(..taken);
        if !open {
            self.close();
        } else if self.waiting.is_empty() {
            stdin.pause(poll);
        }
    }

    /// Ends the process's stdin once it took everything.
    pub(crate) fn end(&mut self, poll: &Poll) {
        self.ending = true;
        self.flush(poll);
    }

    /// Ends it on the spot.
    pub(crate) fn close(&mut self) {
        self.stdin = None;
        self.waiting = Vec::new();
    }
}
