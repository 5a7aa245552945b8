//! `exec inspect`.

use crate::state::Exit;
use crate::{Engine, Error, Snapshot};
use drydock_core::Id;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All facts of an exec.
#[derive(Clone, Debug)]
pub struct ExecInspection {
    /// Which.
    pub id: Id,
    /// As it was made.
    pub command: super::ExecCreate,
    /// Program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it is.
    pub state: ExecState,
    /// The container it runs in.
    pub container: Arc<Snapshot>,
}

/// Where an exec is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExecState {
    /// Not started.
    Created,
    /// A start is on its way.
    Starting,
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
    /// `NoSuchExec`, also when its container's run is over.
    pub fn exec_inspect(&self, exec: &str) -> Result<ExecInspection, Error> {
        let exec = self.0.execs.find(exec)?;
        let (entrypoint, arguments) = exec
            .command
            .cmd
            .split_first()
            .map_or_else(Default::default, |(program, rest)| (program.clone(), rest.to_vec()));
        Ok(ExecInspection {
            id: exec.id,
            command: exec.command.clone(),
            entrypoint,
            arguments,
            state: exec.state.borrow().clone(),
            container: exec.container.view(),
        })
    }
}
