//! `pause`, `unpause`: freeze and thaw.

use crate::{Engine, Error, Target};

impl Engine {
    /// Freezes all processes of a container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `AlreadyPaused`, `BetweenRuns`.
    pub async fn pause(&self, target: Target) -> Result<(), Error> {
        let _ = target;
        todo!()
    }

    /// Thaws them.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `NotPaused`.
    pub async fn unpause(&self, target: Target) -> Result<(), Error> {
        let _ = target;
        todo!()
    }
}
