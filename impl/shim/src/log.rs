//! The container's log, as the loop sees it.

use crate::poll::{Poll, Token, Watched};
use drydock_core::Timestamp;
use drydock_logs::{Error, Flushed, LogConfig, Stream, Writer};
use drydock_shim_protocol::{Failure, Log as Wanted};
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::collections::VecDeque;

pub(crate) struct Log {
    writer: Box<dyn Writer>,
    /// It keeps or sends what it is given, so that output must be read whatever clients do.
    keeps: bool,
    /// The receiver takes nothing at the moment: waits for its descriptor, a copy of the driver's.
    blocked: Option<Watched>,
    /// What the writer was not given yet, since its receiver takes nothing. Output is not read meanwhile, so it is what
    /// was read in one turn, or at the end what the pipes held.
    waiting: VecDeque<Piece>,
    /// What came since the last newline, of each stream: a reader of the log does not see it yet.
    unfinished: [Vec<u8>; 2],
    told: bool,
}

struct Piece {
    stream: Stream,
    at: Timestamp,
    /// Nothing: the stream has ended.
    bytes: Vec<u8>,
}

/// The end of a line longer than this is not kept for those who attach.
const UNFINISHED: usize = 16 << 10;

/// What a writer with a receiver is given at once. As messages it fits into the writer's own queue, be it all newlines.
const MOUTHFUL: usize = 2 << 10;

/// How long a receiver that takes nothing holds up the container's end.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

impl Log {
    pub(crate) fn open(wanted: &Wanted) -> Result<Self, Failure> {
        let config = LogConfig {
            driver: wanted.driver.clone(),
            options: wanted.options.clone(),
            path: wanted.path.clone(),
            container_id: wanted.container_id.clone(),
            container_name: wanted.container_name.clone(),
        };
        let failed = |error: Error| Failure::Log { driver: wanted.driver.clone(), reason: error.to_string() };
        let writer = drydock_logs::open(&config).map_err(failed)?;
        Ok(Self {
            writer,
            keeps: wanted.driver != "none",
            blocked: None,
            waiting: VecDeque::new(),
            unfinished: [Vec::new(), Vec::new()],
            told: false,
        })
    }

    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some() || !self.waiting.is_empty()
    }

    /// Takes a piece of output.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) {
        if !self.keeps {
            return;
        }
        self.remember(stream, bytes);
        let given = if self.is_blocked() { 0 } else { self.give(stream, bytes, at) };
        if given < bytes.len() {
            self.waiting.push_back(Piece { stream, at, bytes: bytes[given..].to_vec() });
        }
    }

    /// Gives the writer what it can pass on. How much that was.
    fn give(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) -> usize {
        if self.writer.descriptor().is_none() {
            let result = self.writer.write(stream, bytes, at);
            self.tell(result);
            return bytes.len();
        }
        let mut given = 0;
        for mouthful in bytes.chunks(MOUTHFUL) {
            let result = self.writer.write(stream, mouthful, at);
            self.tell(result);
            given += mouthful.len();
            let flushed = self.writer.flush();
            if self.tell(flushed) == Some(Flushed::Blocked) {
                break;
            }
        }
        given
    }

    fn remember(&mut self, stream: Stream, bytes: &[u8]) {
        let unfinished = &mut self.unfinished[stream.index()];
        let last = memchr::memrchr(b'\n', bytes).map_or(bytes, |newline| {
            unfinished.clear();
            &bytes[newline + 1..]
        });
        if unfinished.len() + last.len() <= UNFINISHED {
            unfinished.extend_from_slice(last);
        }
    }

    /// The begun line of a stream.
    pub(crate) fn unfinished(&self, stream: Stream) -> &[u8] {
        &self.unfinished[stream.index()]
    }

    /// Makes what was written visible to readers.
    pub(crate) fn flush(&mut self, poll: &Poll) {
        if self.pass_on() {
            self.blocked = None;
        } else if self.blocked.is_none() {
            let descriptor = self.writer.descriptor().and_then(|descriptor| descriptor.try_clone_to_owned().ok());
            let mut watched = descriptor.map(|descriptor| Watched::new(descriptor, Token::Log));
            if watched.as_mut().is_some_and(|watched| watched.want(poll, EventFlags::OUT).is_ok()) {
                self.blocked = watched;
            }
        }
    }

    /// Gives and flushes as much as the receiver takes. Whether that was all.
    fn pass_on(&mut self) -> bool {
        loop {
            let flushed = self.writer.flush();
            if self.tell(flushed) == Some(Flushed::Blocked) {
                return false;
            }
            let Some(mut piece) = self.waiting.pop_front() else { return true };
            if piece.bytes.is_empty() {
                let result = self.writer.end(piece.stream, piece.at);
                self.tell(result);
                continue;
            }
            let given = self.give(piece.stream, &piece.bytes, piece.at);
            piece.bytes.drain(..given);
            if !piece.bytes.is_empty() {
                self.waiting.push_front(piece);
            }
        }
    }

    /// Bytes in the log file.
    pub(crate) fn position(&self) -> Option<u64> {
        self.writer.position()
    }

    pub(crate) fn end(&mut self, stream: Stream, at: Timestamp) {
        self.unfinished[stream.index()].clear();
        if self.is_blocked() {
            return self.waiting.push_back(Piece { stream, at, bytes: Vec::new() });
        }
        let result = self.writer.end(stream, at);
        self.tell(result);
    }

    /// Ends it; waits for a receiver as long as that takes something. Gives the file's length.
    pub(crate) fn close(mut self, at: Timestamp) -> Option<u64> {
        while !self.pass_on() {
            let Some(descriptor) = self.writer.descriptor() else { break };
            let mut receiver = [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)];
            if matches!(rustix::event::poll(&mut receiver, Some(&PATIENCE)), Ok(0)) {
                eprintln!("the log's receiver takes nothing: {} pieces are lost", self.waiting.len());
                break;
            }
        }
        let result = self.writer.close(at);
        self.tell(result);
        self.position()
    }

    /// A log that fails once will fail for each line: it is told once.
    fn tell<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result
            .map_err(|error| {
                if !std::mem::replace(&mut self.told, true) {
                    let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                    eprintln!("{error}{}", source.unwrap_or_default());
                }
            })
            .ok()
    }
}
