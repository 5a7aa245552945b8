//! `exec inspect`.

use crate::state::Exit;
use crate::{Engine, Error, Snapshot};
use drydock_core::Id;

/// All facts of an exec.
#[derive(Clone, Debug)]
pub struct ExecInspection {
    /// Which.
    pub id: Id,
    /// As it was made; `user` empty, `tty` as start said.
    pub command: super::ExecCreate,
    /// Program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it is.
    pub state: ExecState,
    /// The container it runs in.
    pub container: Snapshot,
}

/// Where an exec is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecState {
    /// Not started.
    Created,
    /// It runs.
    Running {
        /// Process, as the host numbers it.
        pid: u32,
    },
    /// It ended, or could not start.
    Exited(Exit),
}

impl Engine {
    /// All facts of an exec.
    ///
    /// # Errors
    /// `NoSuchExec`, also when its container is not running any more.
    pub fn exec_inspect(&self, exec: &str) -> Result<ExecInspection, Error> {
        let _ = exec;
        todo!()
    }
}
