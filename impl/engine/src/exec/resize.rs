//! `exec resize`.

use crate::{Engine, Error};

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
    /// Sets the window of an exec's terminal; without a terminal nothing happens.
    ///
    /// # Errors
    /// `NoSuchExec`, `ExecFinished`.
    pub async fn exec_resize(&self, command: ExecResize) -> Result<(), Error> {
        let _ = command;
        todo!()
    }
}
