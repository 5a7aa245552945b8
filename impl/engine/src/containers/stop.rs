//! `stop`: TERM, then KILL.

use crate::{Engine, Error, Target};
use std::time::Duration;

/// End a container.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Which.
    pub target: Target,
    /// Time from TERM to KILL; `None`: for ever (negative `t`).
    pub grace: Option<Duration>,
}

/// What came of [`Stop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It is over now.
    Now,
    /// It did not run.
    Already,
}

impl Engine {
    /// Ends a container; returns when it is over. It is not restarted by its policy.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Paused`.
    pub async fn stop(&self, command: Stop) -> Result<Stopped, Error> {
        let _ = command;
        todo!()
    }
}
