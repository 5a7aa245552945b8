//! A client's socket as a process's stdio.

use crate::backlog::Backlog;
use crate::poll::{Poll, Token, Watched};
use drydock_logs::Stream;
use drydock_shim_protocol::{Framing, InputEnd, Streams};
use rustix::event::epoll::EventFlags;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{Shutdown, shutdown};
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

/// The client left, or cannot be served on.
#[derive(Debug)]
pub(crate) struct Gone;

/// What a client wants, and whom its end concerns.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) streams: Streams,
    pub(crate) framing: Framing,
    pub(crate) input_end: InputEnd,
    pub(crate) detach_keys: Vec<u8>,
    /// Connection and serial of the `Attach`.
    pub(crate) origin: (u32, u64),
}

pub(crate) struct Client {
    socket: Watched,
    pub(crate) wish: Wish,
    pub(crate) held: bool,
    backlog: Backlog,
    /// It may still send input.
    input: bool,
    /// The process has room for input now.
    listening: bool,
    /// No more output will come.
    ended: bool,
    /// How many bytes of the detach keys came last.
    keys: usize,
}

impl Client {
    pub(crate) fn new(socket: OwnedFd, token: Token, wish: Wish, held: bool, spool: Rc<Path>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let socket = Watched::new(socket, token);
        let input = wish.streams.stdin;
        Ok(Self { socket, wish, held, backlog: Backlog::new(spool), input, listening: false, ended: false, keys: 0 })
    }

    /// Whether it wants this stream.
    pub(crate) fn wants(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.wish.streams.stdout,
            Stream::Stderr => self.wish.streams.stderr,
        }
    }

    /// Whether it wants any output.
    pub(crate) fn wants_output(&self) -> bool {
        self.wish.streams.stdout || self.wish.streams.stderr
    }

    /// Whether it may still send input.
    pub(crate) fn may_send(&self) -> bool {
        self.input
    }

    /// It takes no more output; its input still counts.
    pub(crate) fn deafen(&mut self) {
        self.wish.streams.stdout = false;
        self.wish.streams.stderr = false;
        self.backlog.clear();
    }

    /// Waits for nothing, not even the hang-up that cannot be acted on now.
    pub(crate) fn pause(&mut self, poll: &Poll) {
        self.socket.pause(poll);
    }

    /// Whether it lags behind.
    pub(crate) fn lags(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Gives it output; what it does not take at once waits.
    pub(crate) fn send(&mut self, poll: &Poll, stream: Stream, bytes: &[u8]) -> Result<(), Gone> {
        let header = frame_header(stream, bytes.len());
        let header: &[u8] = match self.wish.framing {
            Framing::Multiplexed => &header,
            Framing::Raw => &[],
        };
        let mut taken = 0;
        if self.backlog.is_empty() && !self.held {
            taken = match write(&self.socket, &[IoSlice::new(header), IoSlice::new(bytes)]) {
                Ok(taken) => taken,
                Err(Errno::AGAIN) => 0,
                Err(_) => return Err(Gone),
            };
        }
        if taken == header.len() + bytes.len() {
            return Ok(());
        }
        let rest = [&header[taken.min(header.len())..], &bytes[taken.saturating_sub(header.len())..]];
        self.backlog.push(rest).map_err(|_| Gone)?;
        self.watch(poll)
    }

    /// Gives it what waits. `true`: it has all that it will ever get, and was told the end.
    pub(crate) fn flush(&mut self, poll: &Poll) -> Result<bool, Gone> {
        if self.held {
            return Ok(false);
        }
        match self.backlog.drain(|parts| write(&self.socket, parts)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(Gone),
        }
        self.watch(poll)?;
        Ok(self.ended && self.backlog.is_empty())
    }

    /// No more output will come.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether its end was announced to it, if not yet reached.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Waits for its input, or not.
    pub(crate) fn listen(&mut self, poll: &Poll, listening: bool) -> Result<(), Gone> {
        self.listening = listening;
        self.watch(poll)
    }

    /// Reads input into `buffer`. `None`: there is none now. 0: it will send no more.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Gone> {
        match retry_on_intr(|| rustix::io::read(&self.socket, &mut *buffer)) {
            Ok(length) => {
                self.input = length > 0;
                Ok(Some(length))
            }
            Err(Errno::AGAIN) => Ok(None),
            Err(_) => Err(Gone),
        }
    }

    /// What of its input goes on to the process, and whether the keys to let it go came. The beginning of the keys is
    /// kept back until it is clear whether they are it.
    pub(crate) fn without_keys(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let keys = &self.wish.detach_keys;
        let mut plain = Vec::with_capacity(bytes.len() + self.keys);
        for byte in bytes {
            while self.keys > 0 && keys[self.keys] != *byte {
                // Not the keys after all: their first byte was input. Their rest may begin anew.
                plain.push(keys[0]);
                let seen = &keys[1..self.keys];
                self.keys = (0..=seen.len()).rev().find(|length| seen.ends_with(&keys[..*length])).unwrap_or(0);
                plain.extend_from_slice(&seen[..seen.len() - self.keys]);
            }
            if keys[self.keys] == *byte {
                self.keys += 1;
                if self.keys == keys.len() {
                    self.keys = 0;
                    return (plain, true);
                }
            } else {
                plain.push(*byte);
            }
        }
        (plain, false)
    }

    /// Tells it the end, so that it hears of it even while the daemon holds a copy of the socket.
    pub(crate) fn close(self, poll: &Poll) {
        let socket = self.socket.into_inner(poll);
        let _ = shutdown(&socket, Shutdown::Write); // It is gone already.
        // A TCP socket that is closed with input in it resets the connection, and the peer may lose our last words.
        let mut rest = [0; 4096];
        while rustix::io::read(&socket, &mut rest).is_ok_and(|length| length > 0) {}
    }

    /// Gives the socket up untouched.
    pub(crate) fn abandon(self, poll: &Poll) {
        drop(self.socket.into_inner(poll));
    }

    fn watch(&mut self, poll: &Poll) -> Result<(), Gone> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.listening && self.input);
        flags.set(EventFlags::OUT, !self.held && !self.backlog.is_empty());
        self.socket.want(poll, flags).map_err(|_| Gone)
    }
}

fn write(socket: &Watched, parts: &[IoSlice<'_>]) -> Result<usize, Errno> {
    retry_on_intr(|| rustix::io::writev(socket, parts))
}

fn frame_header(stream: Stream, length: usize) -> [u8; 8] {
    let number = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [number, 0, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn client(keys: &[u8]) -> Client {
        let wish = Wish {
            streams: Streams { stdin: true, stdout: true, stderr: true },
            framing: Framing::Raw,
            input_end: InputEnd::Close,
            detach_keys: keys.to_vec(),
            origin: (0, 0),
        };
        let (socket, _) = UnixStream::pair().unwrap();
        Client::new(socket.into(), Token::Client(0, 0), wish, false, Rc::from(Path::new("/tmp"))).unwrap()
    }

    fn check(keys: &[u8], pieces: &[&[u8]], expect: &[u8], detached: bool) {
        let mut client = client(keys);
        let mut plain = Vec::new();
        let mut end = false;
        for piece in pieces {
            let (more, keys) = client.without_keys(piece);
            plain.extend(more);
            end = keys;
        }
        assert_eq!((&plain[..], end), (expect, detached), "{pieces:?}");
    }

    #[test]
    fn detach_keys_are_found_across_pieces_and_all_else_passes() {
        check(b"\x10\x11", &[b"ls\n", b"\x10", b"\x11"], b"ls\n", true);
        check(b"\x10\x11", &[b"a\x10", b"b"], b"a\x10b", false);
        check(b"\x10\x11", &[b"\x10\x10\x11"], b"\x10", true);
        check(b"aab", &[b"aaab"], b"a", true);
        check(b"abac", &[b"ababac"], b"ab", true);
    }
}
