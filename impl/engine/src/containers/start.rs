//! `start`: a created or exited container runs.

use crate::config::{CreateRules, HostConfig};
use crate::{Engine, Error, Target};

/// Run a container.
#[derive(Clone, Debug)]
pub struct Start {
    /// Which.
    pub target: Target,
    /// Replaces the stored host configuration whole, as older daemons have it.
    pub host_config: Option<HostConfig>,
    /// Which checks are made of it.
    pub rules: CreateRules,
}

/// What came of [`Start`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs now.
    Now,
    /// It ran already.
    Already,
}

impl Engine {
    /// Runs a container; returns when its first process has begun.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Paused`, `BeingRemoved`, the checks' errors, and [`Error::Start`] with what failed.
    pub async fn start(&self, command: Start) -> Result<Started, Error> {
        let engine = self.clone();
        self.to_the_end(async move {
            let container = engine.find(&command.target)?;
            engine.begin(&container, command.host_config, &command.rules).await
        })
        .await
    }
}
