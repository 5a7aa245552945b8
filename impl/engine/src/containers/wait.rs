//! `wait`: until the next exit.

use crate::state::Exit;
use crate::{Engine, Error, Target};

impl Engine {
    /// Waits for the container's next exit, also one that a restart follows. At once where it does not run; `None`
    /// where it never ran.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn wait(&self, target: Target) -> Result<Option<Exit>, Error> {
        let container = self.find(&target)?;
        let mut progress = container.progress.subscribe();
        let before = progress.borrow_and_update().exits;
        // Counted before looked at: an exit between the two is seen below.
        let state = container.view().state.clone();
        if !state.is_up() {
            return Ok(state.exited().map(|exited| exited.how.clone()));
        }
        let reached = progress.wait_for(|progress| progress.exits > before || progress.gone).await;
        Ok(reached.ok().and_then(|progress| progress.last_exit.clone()))
    }
}
