//! One exchange with a daemon, whether it was recorded or is happening now: the same type, so the same checks.
//!
//! [`Client`] makes exchanges, [`Recordings`] reads them, [`Normaliser`] makes two of them comparable.

mod archive;
mod client;
mod frames;
mod normal;
mod recording;
mod request;
mod response;
mod show;
mod websocket;
mod wire;

pub use archive::{Archive, Entry, EntryKind, NotTar};
pub use client::{Address, BadAddress, Client, Conversation, Limits};
pub use frames::{BadFrames, Frame};
pub use normal::Normaliser;
pub(crate) use normal::hosts_in_order;
pub use recording::{Api, FileName, Observation, Record, RecordedBody, RecordingError, Recordings, Seen};
pub use request::{Input, Request, RequestBody};
pub use response::{Content, End, Interim, NoAnswer, Response};
pub use websocket::Message;

use std::{fmt, time::Duration};

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Where it was seen.
    pub origin: Origin,
    /// What was sent.
    pub request: Request,
    /// What came back, if an answer came at all.
    pub answer: Result<Response, NoAnswer>,
    /// From the first byte sent to the end.
    pub took: Duration,
}

impl Exchange {
    /// The status, if an answer came.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().ok().map(|response| response.status)
    }
}

/// How many frames an answer was recorded as.
pub(crate) fn frames_of(response: &Response) -> usize {
    match &response.content {
        Content::Frames(frames) => frames.len(),
        _ => 0,
    }
}

/// Where an exchange was seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// In a file of recordings.
    Recorded {
        /// The file.
        file: FileName,
        /// Its line's number, unique in the file.
        seq: u32,
        /// The scenario that it belongs to.
        scenario: String,
        /// Its step.
        step: String,
    },
    /// On a live daemon's socket, just now.
    Live,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Recorded { file, seq, scenario, step } => write!(f, "{file}#{seq} {scenario}/{step}"),
            Origin::Live => f.write_str("live"),
        }
    }
}
