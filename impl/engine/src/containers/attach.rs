//! `attach`: a client's socket becomes the container's stdio.

use crate::streams::{ClientSocket, Framing};
use crate::{Engine, Error, Target};

/// Attach to a container.
#[derive(Clone, Debug)]
pub struct Attach {
    /// To which.
    pub target: Target,
    /// First, what is in the log.
    pub logs: bool,
    /// Then what comes, until the container ends.
    pub stream: bool,
    /// Bytes of the client are its stdin.
    pub stdin: bool,
    /// Stdout.
    pub stdout: bool,
    /// Stderr.
    pub stderr: bool,
    /// Frames, where there is no terminal; a websocket takes raw bytes always.
    pub framing: AttachFraming,
}

/// How an attached client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachFraming {
    /// Frames without a terminal, raw with one.
    ByTerminal,
    /// Raw always.
    Raw,
}

/// An attach that will work: what the view needs for the head, then [`Self::run`].
#[derive(Debug)]
pub struct Attachment {
    /// How the bytes are to be read.
    pub framing: Framing,
}

impl Engine {
    /// Finds the container and says how it will be read. Nothing flows yet.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn attach(&self, command: Attach) -> Result<Attachment, Error> {
        let _ = command;
        todo!()
    }
}

impl Attachment {
    /// Lets it flow; returns when the stream is over and the socket closed.
    ///
    /// # Errors
    /// `Shim` when the container's shim is gone.
    pub async fn run(self, client: ClientSocket) -> Result<(), Error> {
        let _ = client;
        todo!()
    }
}
