//! `exec create`: what is to run, and where.

use crate::{Engine, Error, Target};
use drydock_core::Id;

/// Make an exec.
#[derive(Clone, Debug)]
pub struct ExecCreate {
    /// In which container.
    pub target: Target,
    /// What runs.
    pub cmd: Vec<String>,
    /// Bytes of the client are its stdin.
    pub attach_stdin: bool,
    /// Stdout goes to the client.
    pub attach_stdout: bool,
    /// Stderr goes to the client.
    pub attach_stderr: bool,
    /// A terminal.
    pub tty: bool,
    /// Nobody attaches.
    pub detach: bool,
    /// As in a container's configuration; empty: the container's.
    pub user: String,
    /// Shown, and of no effect.
    pub privileged: bool,
    /// It has a session of its own; older daemons gave none.
    pub own_session: bool,
    /// `HOME` is set; one daemon forgot it.
    pub home: bool,
}

impl Engine {
    /// Makes an exec; nothing runs yet.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Paused`, `NoExecCommand`.
    pub async fn exec_create(&self, command: ExecCreate) -> Result<Id, Error> {
        let _ = command;
        todo!()
    }
}
