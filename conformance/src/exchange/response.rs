//! What a daemon answers, and the views of its content.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    archive::{Archive, NotTar},
    frames::{self, BadFrames, Frame},
    websocket::Message,
};

/// An answer from its status line to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Informational answers before it, such as 100.
    pub interim: Vec<Interim>,
    /// `HTTP/1.1`.
    pub proto: String,
    /// The status.
    pub status: u16,
    /// The words behind the status.
    pub reason: String,
    /// In order, names as written.
    pub headers: Vec<(String, String)>,
    /// What followed the head.
    pub content: Content,
    /// Lengths of the chunks, in order, where the transfer was chunked.
    pub chunks: Vec<usize>,
    /// How it ended.
    pub end: End,
}

/// An informational answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Interim {
    /// 100 to 199, 101 apart.
    pub status: u16,
    /// The words behind the status.
    pub reason: String,
    /// In order.
    pub headers: Vec<(String, String)>,
}

/// What followed a head: as bytes when live, already read when recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Bytes, transfer coding removed.
    Bytes(Vec<u8>),
    /// The beginning of so many bytes; the rest was not kept.
    Cut {
        /// What was kept.
        kept: Vec<u8>,
        /// How many there were.
        size: u64,
    },
    /// Multiplexed container output.
    Frames(Vec<Frame>),
    /// Websocket messages.
    Messages(Vec<Message>),
    /// A tar archive's entries.
    Archive(Archive),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After the announced number of bytes, or at once where no body is possible.
    Length,
    /// With the last chunk.
    Chunked,
    /// With the connection.
    Eof,
    /// It had not when the client left.
    Timeout,
    /// The client left because it was too long.
    TooLong,
    /// The connection ended before the body did.
    Short,
    /// The chunk headers are no chunk headers.
    BadChunk,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The connection was closed before a head.
    #[error("connection closed without an answer")]
    Closed,
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// There was no connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Broken(String),
    /// What came is no HTTP/1 head.
    #[error("no HTTP answer: {0}")]
    Malformed(String),
    /// Recorded as a hang and not asked again, or the daemon was gone.
    #[error("not asked: {0}")]
    NotAsked(String),
}

impl Response {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The content's bytes; what was recorded as frames is framed again. `None` for websocket messages, archives
    /// recorded by their entries, and what was not kept whole.
    pub fn bytes(&self) -> Option<Cow<'_, [u8]>> {
        match &self.content {
            Content::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Content::Frames(frames) => Some(Cow::Owned(frames::encode(frames))),
            Content::Cut { .. } | Content::Messages(_) | Content::Archive(_) => None,
        }
    }

    /// The content as text, what is no UTF-8 replaced.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.content {
            Content::Bytes(bytes) | Content::Cut { kept: bytes, .. } => String::from_utf8_lossy(bytes),
            _ => Cow::Borrowed(""),
        }
    }

    /// The content as one JSON document.
    pub fn json(&self) -> Option<Value> {
        match &self.content {
            Content::Bytes(bytes) => serde_json::from_slice(bytes).ok(),
            _ => None,
        }
    }

    /// The content as JSON documents one after another. The last may be cut where the client left.
    pub fn json_lines(&self) -> Option<Vec<Value>> {
        let Content::Bytes(bytes) = &self.content else { return None };
        let mut values = Vec::new();
        for value in serde_json::Deserializer::from_slice(bytes).into_iter() {
            match value {
                Ok(value) => values.push(value),
                Err(error) if error.is_eof() && self.left_early() => break,
                Err(_) => return None,
            }
        }
        Some(values)
    }

    /// The content as multiplexed frames.
    pub fn frames(&self) -> Result<Cow<'_, [Frame]>, BadFrames> {
        match &self.content {
            Content::Frames(frames) => Ok(Cow::Borrowed(frames)),
            Content::Bytes(bytes) => frames::decode(bytes, self.left_early()).map(Cow::Owned),
            _ => Err(BadFrames::NotBytes),
        }
    }

    /// The content as a tar archive's entries.
    pub fn archive(&self) -> Result<Cow<'_, Archive>, NotTar> {
        match &self.content {
            Content::Archive(archive) => Ok(Cow::Borrowed(archive)),
            Content::Bytes(bytes) => Archive::read(bytes).map(Cow::Owned),
            _ => Err(NotTar("its content is of another kind".into())),
        }
    }

    /// Whether the client left before the daemon was done.
    pub fn left_early(&self) -> bool {
        matches!(self.end, End::Timeout | End::TooLong)
    }
}
