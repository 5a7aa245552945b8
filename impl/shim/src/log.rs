//! The container's log, as the loop sees it.

use crate::poll::{Poll, Token, Watched};
use drydock_core::Timestamp;
use drydock_logs::{Error, Flushed, LogConfig, Stream, Writer};
use drydock_shim_protocol::{Failure, Log as Wanted};
use rustix::event::epoll::EventFlags;

pub(crate) struct Log {
    writer: Box<dyn Writer>,
    /// It keeps or sends what it is given, so that output must be read whatever clients do.
    keeps: bool,
    /// The receiver takes nothing at the moment: waits for its descriptor, a copy of the driver's.
    blocked: Option<Watched>,
    /// What came since the last newline, of each stream: a reader of the log does not see it yet.
    unfinished: [Vec<u8>; 2],
    told: bool,
}

/// The end of a line longer than this is not kept for those who attach.
const UNFINISHED: usize = 16 << 10;

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
        let unfinished = [Vec::new(), Vec::new()];
        Ok(Self { writer, keeps: wanted.driver != "none", blocked: None, unfinished, told: false })
    }

    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Takes a piece of output.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) {
        if !self.keeps {
            return;
        }
        let result = self.writer.write(stream, bytes, at);
        self.tell(result);
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
        let flushed = self.writer.flush();
        match self.tell(flushed) {
            Some(Flushed::Blocked) if self.blocked.is_none() => {
                let descriptor = self.writer.descriptor().and_then(|descriptor| descriptor.try_clone_to_owned().ok());
                let mut watched = descriptor.map(|descriptor| Watched::new(descriptor, Token::Log));
                if watched.as_mut().is_some_and(|watched| watched.want(poll, EventFlags::OUT).is_ok()) {
                    self.blocked = watched;
                }
            }
            Some(Flushed::Blocked) => {}
            Some(Flushed::All) | None => self.blocked = None,
        }
    }

    /// Bytes in the log file.
    pub(crate) fn position(&self) -> Option<u64> {
        self.writer.position()
    }

    pub(crate) fn end(&mut self, stream: Stream, at: Timestamp) {
        self.unfinished[stream.index()].clear();
        let result = self.writer.end(stream, at);
        self.tell(result);
    }

    /// Ends it. Gives its length.
    pub(crate) fn close(mut self, at: Timestamp) -> Option<u64> {
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
