//! `top`: what runs in a container, as the host's `ps` tells it.

use crate::{Engine, Error, Target};

/// List processes.
#[derive(Clone, Debug)]
pub struct Top {
    /// Of which.
    pub target: Target,
    /// Arguments of `ps`; empty: `-ef`.
    pub ps_args: String,
}

/// Processes, as `ps` prints them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    /// Column heads.
    pub titles: Vec<String>,
    /// One row per process, as many columns as titles; the last may hold blanks.
    pub processes: Vec<Vec<String>>,
}

impl Engine {
    /// Lists the processes of a running container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Ps`, `PsWithoutPid`.
    pub async fn top(&self, command: Top) -> Result<Processes, Error> {
        let _ = command;
        todo!()
    }
}
