//! `pause`, `unpause`: freeze and thaw.

use crate::container::{Body, Container, Phase};
use crate::events::Action;
use crate::{Engine, Error, Target};

impl Engine {
    /// Freezes all processes of a container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `AlreadyPaused`, `BetweenRuns`.
    pub async fn pause(&self, target: Target) -> Result<(), Error> {
        let container = self.find(&target)?;
        let mut body = container.lock().await?;
        self.freeze(&container, &mut body).await?;
        self.tell(&container, Action::Pause);
        Ok(())
    }

    /// Thaws them.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotPaused`.
    pub async fn unpause(&self, target: Target) -> Result<(), Error> {
        let container = self.find(&target)?;
        let mut body = container.lock().await?;
        self.thaw(&container, &mut body).await?;
        self.tell(&container, Action::Unpause);
        Ok(())
    }

    /// Running → Paused. On error it runs on.
    pub(crate) async fn freeze(&self, container: &Container, body: &mut Body) -> Result<(), Error> {
        match &body.phase {
            Phase::Running(_) if body.killed => return Err(Error::NotRunning(container.id)),
            Phase::Running(live) => live.freeze().await?,
            Phase::Paused(_) => return Err(Error::AlreadyPaused(container.id)),
            Phase::Waiting(..) => return Err(Error::BetweenRuns(container.id)),
            _ => return Err(Error::NotRunning(container.id)),
        }
        if let Phase::Running(live) = body.phase.take() {
            body.phase = Phase::Paused(live);
        }
        self.changed(container, body)
    }

    /// Paused → Running. On error it stays paused.
    pub(crate) async fn thaw(&self, container: &Container, body: &mut Body) -> Result<(), Error> {
        match &body.phase {
            Phase::Paused(live) => live.thaw().await?,
            _ => return Err(Error::NotPaused(container.id)),
        }
        if let Phase::Paused(live) = body.phase.take() {
            body.phase = Phase::Running(live);
        }
        self.changed(container, body)
    }
}
