//! `exec resize`.

use super::ExecState;
use crate::{Engine, Error};
use drydock_shim_protocol::Process;

/// Set the window of an exec's terminal.
#[derive(Clone, Debug)]
pub struct ExecResize {
    /// Which, as the client wrote it.
    pub exec: String,
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

impl Engine {
    /// Sets the window of an exec's terminal; without a terminal nothing happens. One that is about to start is waited
    /// for: clients resize at once.
    ///
    /// # Errors
    /// `NoSuchExec`, `ExecNotRunning`.
    pub async fn exec_resize(&self, command: ExecResize) -> Result<(), Error> {
        let exec = self.0.execs.find(&command.exec)?;
        let mut state = exec.state.subscribe();
        let state = state.wait_for(|state| *state != ExecState::Starting).await.map(|state| state.clone());
        if !matches!(state, Ok(ExecState::Running { .. })) {
            return Err(Error::ExecNotRunning(exec.id));
        }
        let body = exec.container.lock().await?;
        let live = body.phase.live().ok_or(Error::NotRunning(exec.container.id))?;
        live.resize(Process::Exec(exec.id.to_string()), command.height, command.width).await
    }
}
