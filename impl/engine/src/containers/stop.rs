//! `stop`: TERM, then KILL.

use crate::container::{Container, Phase};
use crate::containers::Signal;
use crate::events::Action;
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
        let container = self.find(&command.target)?;
        if !container.view().state.is_up() {
            return Ok(Stopped::Already);
        }
        self.end_gently(&container, command.grace).await?;
        self.tell(&container, Action::Stop);
        Ok(Stopped::Now)
    }

    /// Ends a container that may run: TERM, and KILL when `grace` is over.
    pub(crate) async fn end_gently(&self, container: &Container, grace: Option<Duration>) -> Result<(), Error> {
        let Some(grace) = grace else { return self.end(container, Signal::TERM).await };
        match tokio::time::timeout(grace, self.end(container, Signal::TERM)).await {
            Ok(ended) => ended,
            Err(_) => self.end(container, Signal::KILL).await,
        }
    }

    /// Sends `signal` to a container that may run, and waits for the end of this run. Ends at once where nothing
    /// runs. Dropped half way, the signal stays sent and the restart policy silent.
    pub(crate) async fn end(&self, container: &Container, signal: Signal) -> Result<(), Error> {
        let before = {
            let mut body = container.lock().await?;
            match &body.phase {
                Phase::Paused(_) => return Err(Error::Paused(container.id)),
                Phase::Running(live) => live.signal(signal).await?,
                Phase::Waiting(..) => {
                    body.stopping = true;
                    self.stop_waiting(container, &mut body).await;
                    return Ok(());
                }
                _ => return Ok(()),
            }
            body.stopping = true;
            body.killed |= signal == Signal::KILL;
            // An exit takes the lock that we hold: it cannot have been counted yet.
            container.progress.borrow().exits
        };
        container.reach(|progress| progress.exits > before).await;
        Ok(())
    }
}
