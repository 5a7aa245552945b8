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
        let _ = target;
        todo!()
    }
}
