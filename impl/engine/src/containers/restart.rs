//! `restart`: stop if it runs, then start.

use crate::events::Action;
use crate::{CreateRules, Engine, Error, Target};
use std::time::Duration;

/// Stop and start again.
#[derive(Clone, Debug)]
pub struct Restart {
    /// Which.
    pub target: Target,
    /// As [`crate::Stop::grace`].
    pub grace: Option<Duration>,
}

impl Engine {
    /// Stops a container if it runs, and starts it.
    ///
    /// # Errors
    /// Those of stop and start.
    pub async fn restart(&self, command: Restart) -> Result<(), Error> {
        let engine = self.clone();
        self.to_the_end(async move {
            let container = engine.find(&command.target)?;
            engine.end_gently(&container, command.grace).await?;
            engine.begin(&container, None, &CreateRules::default()).await?;
            engine.tell(&container, Action::Restart);
            Ok(())
        })
        .await
    }
}
