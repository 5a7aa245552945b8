//! Sending lines as messages, without ever waiting for the receiver.

use crate::lines::Lines;
use crate::{Error, Flushed, Stream, Writer};
use drydock_core::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Bytes that wait for the receiver, at most; what comes beyond is dropped, and its lines are counted.
const QUEUE: usize = 256 << 10;
/// How long a closing writer waits for a receiver that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a driver makes messages and sends them.
pub(crate) trait Transport: Send {
    /// The driver.
    fn name(&self) -> &'static str;

    /// The message of a line.
    fn message(&mut self, stream: Stream, line: &[u8], at: Timestamp) -> Vec<u8>;

    /// Sends one, or goes on where it stopped: `WouldBlock` when the receiver takes nothing now. After any other error
    /// [`Self::reconnect`] is tried, once per message.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Begins anew with the receiver; whatever was sent of a message is forgotten.
    fn reconnect(&mut self) -> io::Result<()>;

    /// What [`Self::send`] waits for.
    fn descriptor(&self) -> BorrowedFd<'_>;
}

/// The writer of such a driver.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    transport: T,
    lines: Lines,
    queue: VecDeque<Vec<u8>>,
    queued: usize,
    dropped: u64,
    /// The first message in the queue was tried on a new connection already.
    retried: bool,
}

impl<T: Transport> Sender<T> {
    /// Lines above `limit` bytes come in pieces.
    pub(crate) fn new(transport: T, limit: usize) -> Self {
        Self { transport, lines: Lines::new(limit), queue: VecDeque::new(), queued: 0, dropped: 0, retried: false }
    }

    fn enqueue(&mut self, stream: Stream, at: Timestamp, take: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]))) {
        let Self { transport, lines, queue, queued, dropped, .. } = self;
        take(lines, &mut |line| {
            if *queued >= QUEUE {
                // What can be sent now makes room.
                *dropped += 1;
                return;
            }
            let message = transport.message(stream, line, at);
            *queued += message.len();
            queue.push_back(message);
        });
    }

    /// The next message, and how it went.
    fn send_next(&mut self) -> Option<io::Result<()>> {
        let message = self.queue.front()?;
        let mut sent = self.transport.send(message);
        if let Err(error) = &sent
            && error.kind() != io::ErrorKind::WouldBlock
            && !self.retried
        {
            self.retried = true;
            sent = self.transport.reconnect().and_then(|()| self.transport.send(message));
        }
        if !matches!(&sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.retried = false;
            self.queued -= message.len();
            self.queue.pop_front();
        }
        Some(sent)
    }
}

impl<T: Transport> Writer for Sender<T> {
    fn write(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) -> Result<(), Error> {
        // In parts, so that a quick receiver never sees a full queue.
        let mut result = Ok(());
        for part in bytes.chunks(QUEUE / 16) {
            self.enqueue(stream, at, |lines, tell| lines.push(stream, part, tell));
            if self.queued >= QUEUE / 2 {
                result = result.and(self.flush().map(drop));
            }
        }
        result
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        let driver = self.transport.name();
        let mut failed = None;
        let mut flushed = Flushed::All;
        while let Some(sent) = self.send_next() {
            match sent {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flushed = Flushed::Blocked;
                    break;
                }
                Err(source) => {
                    failed.get_or_insert(Error::Send { driver, source });
                }
            }
        }
        match (failed, std::mem::take(&mut self.dropped)) {
            (Some(error), _) => Err(error),
            (None, 0) => Ok(flushed),
            (None, lines) => Err(Error::Dropped { driver, lines }),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.transport.descriptor())
    }

    fn end(&mut self, stream: Stream, at: Timestamp) -> Result<(), Error> {
        self.enqueue(stream, at, |lines, tell| lines.end(stream, tell));
        Ok(())
    }

    fn close(&mut self, at: Timestamp) -> Result<(), Error> {
        let mut result: Result<(), Error> = Stream::BOTH.into_iter().try_for_each(|stream| self.end(stream, at));
        let mut patience = Instant::now() + PATIENCE;
        let mut left = self.queue.len();
        loop {
            match self.flush() {
                Ok(Flushed::All) => return result,
                Ok(Flushed::Blocked) => {}
                Err(error) => result = result.and(Err(error)),
            }
            if self.queue.len() < left {
                left = self.queue.len();
                patience = Instant::now() + PATIENCE;
            }
            let remaining = patience.saturating_duration_since(Instant::now());
            if left == 0 {
                return result;
            }
            if remaining.is_zero() {
                let lines = self.queue.drain(..).count() as u64;
                return result.and(Err(Error::Dropped { driver: self.transport.name(), lines }));
            }
            let descriptor = self.transport.descriptor();
            let timeout = Timespec::try_from(remaining).ok();
            // An error or a signal leads to the next try.
            let _ = poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)], timeout.as_ref());
        }
    }
}
