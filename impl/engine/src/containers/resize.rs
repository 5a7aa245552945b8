//! `resize`: the window of a container's terminal.

use crate::{Engine, Error, Target};
use drydock_shim_protocol::Process;

/// Set a terminal's window.
#[derive(Clone, Debug)]
pub struct Resize {
    /// Of which.
    pub target: Target,
    /// Rows.
    pub height: u16,
    /// Columns.
    pub width: u16,
}

impl Engine {
    /// Sets the window of a container's terminal; without a terminal nothing happens.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`.
    pub async fn resize(&self, command: Resize) -> Result<(), Error> {
        let container = self.find(&command.target)?;
        let body = container.lock().await?;
        let live = body.phase.live().ok_or(Error::NotRunning(container.id))?;
        live.resize(Process::Init, command.height, command.width).await
    }
}
