//! `exec inspect`.

use super::Exec;
use crate::state::Exit;
use crate::{Engine, Error, Snapshot};
use drydock_core::Id;
use drydock_shim_protocol::{Answer, Request};
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
    pub async fn exec_inspect(&self, exec: &str) -> Result<ExecInspection, Error> {
        let exec = self.0.execs.find(exec)?;
        self.settle(&exec).await;
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

impl Engine {
    /// A client that saw the end of the stream asks for the exit code, or starts it again, at once: what the shim has
    /// told of it goes first.
    pub(super) async fn settle(&self, exec: &Exec) {
        if !matches!(*exec.state.borrow(), ExecState::Running { .. } | ExecState::Starting) {
            return;
        }
        let shim = match exec.container.lock().await {
            Ok(body) => body.phase.live().map(|live| Arc::clone(&live.shim)),
            Err(_) => None,
        };
        let Some(shim) = shim else { return };
        let Ok(Answer::Status(status)) = shim.ask(Request::Status).await else { return };
        let id = exec.id.to_string();
        if status.execs.iter().any(|known| known.exec == id && known.exited.is_some()) {
            // Its end was told before the answer, and is on its way to the state.
            let ended = |state: &ExecState| matches!(state, ExecState::Exited(_));
            let _ = exec.state.subscribe().wait_for(ended).await;
        }
    }
}
