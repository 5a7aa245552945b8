//! `kill`: a signal to the first process.

use crate::{Engine, Error, Target};

/// Send a signal.
#[derive(Clone, Debug)]
pub struct Kill {
    /// To which.
    pub target: Target,
    /// `None`: KILL, and wait for the end.
    pub signal: Option<Signal>,
    /// A signal other than KILL tells `kill`.
    pub tells_kill: bool,
    /// A container that does not run is an error; else it is as if it had been killed.
    pub must_run: bool,
}

/// A signal that a container may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(pub(crate) u8);

impl Engine {
    /// Sends a signal; for KILL, returns when the container is over.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Paused`.
    pub async fn kill(&self, command: Kill) -> Result<(), Error> {
        let _ = command;
        todo!()
    }
}
