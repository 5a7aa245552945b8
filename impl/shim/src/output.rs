//! A process's output on its way to clients and log.
//!
//! The pace: output is read as long as somebody keeps up with it. A log that is kept always does (its receiver's pace
//! is the pace of the whole then). Without one, the fastest client sets the pace; the others' bytes wait in their
//! backlogs. With nobody there, output is read and forgotten.

use crate::log::Log;
use crate::poll::Poll;
use crate::session::{Session, State};
use drydock_core::Timestamp;
use drydock_logs::Stream;
use rustix::event::epoll::EventFlags;
use rustix::io::{Errno, retry_on_intr};

/// Bytes of one read, one write and one frame at most.
pub(crate) const BATCH: usize = 64 << 10;

/// Bytes of one stream in a row, lest others wait.
const TURN: usize = 16 * BATCH;

/// What a pipe is made to hold once its process fills it: it sleeps and wakes less often then.
const PIPE: usize = 512 << 10;

/// What a pipe holds at most: the process may widen its own, up to the kernel's usual bound.
const LARGEST_PIPE: usize = 1 << 20;

/// How long to go on reading.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// A fair turn, as long as somebody keeps up.
    Turn,
    /// All that was there when we began, whoever keeps up. Somebody may write on for ever; but what was there is no more
    /// than a pipe holds.
    Held,
}

impl Session {
    /// There is output, or its end.
    pub(crate) fn on_output(&mut self, poll: &Poll, stream: u8, buffer: &mut [u8]) {
        self.read_output(poll, stream.into(), buffer, Until::Turn);
        self.flush_log(poll);
        self.set_pace(poll);
    }

    /// Reads all output that was written until now.
    pub(crate) fn catch_up(&mut self, poll: &Poll, buffer: &mut [u8]) {
        for stream in 0..self.outputs.len() {
            self.read_output(poll, stream, buffer, Until::Held);
        }
        self.flush_log(poll);
        self.set_pace(poll);
    }

    /// Reads the last output, and tells the end.
    pub(crate) fn finish_output(&mut self, poll: &Poll, buffer: &mut [u8]) {
        self.catch_up(poll, buffer);
        self.end_output(poll);
    }

    /// Bytes in the log file when all that was read is in it.
    pub(crate) fn log_position(&mut self, poll: &Poll) -> Option<u64> {
        self.flush_log(poll);
        self.log.as_ref().map_or(self.log_end, Log::position)
    }

    /// Somebody may keep up again, or no more.
    pub(crate) fn set_pace(&mut self, poll: &Poll) {
        let reading = self.keeps_up();
        for output in self.outputs.iter_mut().flatten() {
            if !reading {
                output.pause(poll);
            } else if output.want(poll, EventFlags::IN).is_err() {
                eprintln!("output can no longer be waited for");
            }
        }
        // The process is gone and its output has ended: so have its clients' streams.
        let ended = self.outputs.iter().all(Option::is_none);
        if ended && matches!(self.state, State::Exited { .. }) && self.clients.values().any(|client| !client.is_ended())
        {
            self.end_output(poll);
        }
    }

    /// The log's receiver may take more.
    pub(crate) fn flush_log(&mut self, poll: &Poll) {
        if let Some(log) = &mut self.log {
            log.flush(poll);
        }
    }

    fn keeps_up(&self) -> bool {
        if self.log.as_ref().is_some_and(Log::is_blocked) {
            return false;
        }
        let kept = self.log.as_ref().is_some_and(Log::keeps);
        let mut takers = self.clients.values().filter(|client| client.wants_output()).peekable();
        kept || takers.peek().is_none() || takers.any(|client| !client.lags())
    }

    fn read_output(&mut self, poll: &Poll, index: usize, buffer: &mut [u8], until: Until) {
        let stream = Stream::BOTH[index.min(1)];
        let mut taken = 0;
        loop {
            let go_on = match until {
                Until::Turn => taken < TURN && self.keeps_up(),
                Until::Held => taken < LARGEST_PIPE,
            };
            if !go_on {
                return;
            }
            let Some(output) = &self.outputs[index] else { return };
            match retry_on_intr(|| rustix::io::read(output, &mut *buffer)) {
                Ok(0) | Err(Errno::IO) => return self.end_of_output(poll, index),
                Ok(length) => {
                    if length == buffer.len() && !std::mem::replace(&mut self.widened[index], true) {
                        let _ = rustix::pipe::fcntl_setpipe_size(output, PIPE); // Faster with it, right without.
                    }
                    taken += length;
                    self.deliver(poll, stream, &buffer[..length]);
                    // A short read emptied it: the next would find nothing. A terminal gives less than it has.
                    if length < buffer.len() && until == Until::Turn {
                        return;
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(errno) => {
                    eprintln!("reading output: {errno}");
                    return self.end_of_output(poll, index);
                }
            }
        }
    }

    fn deliver(&mut self, poll: &Poll, stream: Stream, bytes: &[u8]) {
        let takers = self.clients.iter_mut().filter(|(_, client)| client.wants(stream));
        let gone: Vec<u32> =
            takers.filter_map(|(id, client)| client.send(poll, stream, bytes).is_err().then_some(*id)).collect();
        gone.into_iter().for_each(|id| self.lose(poll, id));
        if let Some(log) = &mut self.log {
            log.write(stream, bytes, Timestamp::now());
        }
    }

    fn end_of_output(&mut self, poll: &Poll, index: usize) {
        if let Some(output) = self.outputs[index].take() {
            drop(output.into_inner(poll));
        }
        if let Some(log) = &mut self.log {
            log.end(Stream::BOTH[index.min(1)], Timestamp::now());
        }
    }
}
