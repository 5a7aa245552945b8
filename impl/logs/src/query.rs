//! What a reader wants of a log.

use drydock_core::Timestamp;

/// What a reader wants of a log. The default is all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Stdout's lines.
    pub stdout: bool,
    /// Stderr's lines.
    pub stderr: bool,
    /// How many of the last lines, before any other choice is made.
    pub tail: Tail,
    /// Only lines of this time or later.
    pub since: Option<Timestamp>,
    /// Only what lies below this many bytes of the file, as [`crate::Writer::position`] told it.
    pub until: Option<u64>,
}

/// How many of the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// All.
    All,
    /// So many; lines of both streams count, whichever are wanted.
    Lines(u64),
}

impl Default for Query {
    fn default() -> Self {
        Self { stdout: true, stderr: true, tail: Tail::All, since: None, until: None }
    }
}
