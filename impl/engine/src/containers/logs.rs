//! `logs`: what a container wrote, as far as its log driver kept it.

use crate::streams::{ByteStream, Framing};
use crate::{Engine, Error, Target};

/// Read a log.
#[derive(Clone, Debug)]
pub struct Logs {
    /// Of which.
    pub target: Target,
    /// Stdout's lines.
    pub stdout: bool,
    /// Stderr's lines.
    pub stderr: bool,
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// How many of the last lines.
    pub tail: Tail,
    /// Only lines since this time, Unix seconds; 0: all.
    pub since: i64,
}

/// How many of the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// All.
    All,
    /// So many; lines of both streams count, whichever were asked for.
    Lines(u64),
}

/// A log on its way to a client.
#[derive(Debug)]
pub struct LogStream {
    /// How the bytes are to be read.
    pub framing: Framing,
    /// The bytes, framed.
    pub bytes: ByteStream,
}

impl Engine {
    /// Reads a log.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `LogsUnreadable`.
    pub async fn logs(&self, command: Logs) -> Result<LogStream, Error> {
        let _ = command;
        todo!()
    }
}
