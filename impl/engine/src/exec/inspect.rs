//! `exec inspect`.

use super::Exec;
use crate::state::Exit;
use crate::{Engine, Error, Snapshot};
use drydock_core::Id;
use drydock_shim_protocol::Request;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

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

/// An exec whose output ended has ended, too, or is about to be reaped; one that closed its output and goes on is seen
/// as running after this.
const REAPED_WITHIN: Duration = Duration::from_millis(50);

impl Engine {
    /// A client that saw the end of the stream asks for the exit code at once: what the shim has to tell of it goes
    /// first.
    async fn settle(&self, exec: &Exec) {
        if !matches!(*exec.state.borrow(), ExecState::Running { .. } | ExecState::Starting) {
            return;
        }
        let shim = match exec.container.lock().await {
            Ok(body) => body.phase.live().map(|live| Arc::clone(&live.shim)),
            Err(_) => None,
        };
        let Some(shim) = shim else { return };
        // Its answer comes after all events that it told before.
        let _ = shim.ask(Request::Status).await;
        let stream = exec.stream.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if stream.is_some_and(|over| *over.borrow()) {
            let mut state = exec.state.subscribe();
            let ended = state.wait_for(|state| matches!(state, ExecState::Exited(_)));
            let _ = tokio::time::timeout(REAPED_WITHIN, ended).await;
        }
    }
}
