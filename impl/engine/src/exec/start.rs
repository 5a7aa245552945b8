//! `exec start`: it runs, with a client or without.

use crate::streams::{ClientSocket, Framing};
use crate::{Engine, Error};
use drydock_core::Id;

/// Run an exec.
#[derive(Clone, Debug)]
pub struct ExecStart {
    /// Which, as the client wrote it.
    pub exec: String,
    /// Nobody attaches.
    pub detach: bool,
    /// A terminal; replaces what create said.
    pub tty: bool,
}

/// An exec that is about to run: what the view needs for the head, then [`Self::run`].
#[derive(Debug)]
pub struct ExecSession {
    /// Which.
    pub id: Id,
    /// How the bytes are to be read.
    pub framing: Framing,
}

impl Engine {
    /// Claims an exec for one start. Dropping the session gives it back.
    ///
    /// # Errors
    /// `NoSuchExec`, `ExecRunning`, `ExecFinished`, `NotRunning`, `Paused`.
    pub async fn exec_start(&self, command: ExecStart) -> Result<ExecSession, Error> {
        let _ = command;
        todo!()
    }
}

impl ExecSession {
    /// Runs it with a client; returns when the stream is over and the socket closed.
    ///
    /// # Errors
    /// [`Error::Start`] with what failed: the head is out already, so a view writes the words into the stream. The
    /// socket comes back with it.
    pub async fn run(self, client: ClientSocket) -> Result<(), (Error, ClientSocket)> {
        let _ = client;
        todo!()
    }

    /// Runs it without a client; returns when it has begun.
    ///
    /// # Errors
    /// [`Error::Start`] with what failed.
    pub async fn run_detached(self) -> Result<(), Error> {
        todo!()
    }
}
