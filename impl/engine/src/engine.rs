//! The engine as a whole: opening it, what it counts, shutting it down.

use crate::{Error, Settings};
use std::sync::Arc;

/// All containers of a daemon. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    #[allow(dead_code)]
    settings: Settings,
}

/// What the engine counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Containers in any state.
    pub containers: usize,
    /// Those that run, paused ones too.
    pub running: usize,
    /// Listeners of events.
    pub event_listeners: usize,
}

impl Engine {
    /// Opens the store, finds running containers again, removes what an earlier life left behind, and starts those
    /// whose policy says so (in the background).
    ///
    /// # Errors
    /// When the store cannot be opened or read.
    pub async fn open(settings: Settings) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner { settings })))
    }

    /// What the engine counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        todo!()
    }

    /// The daemon's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Refuses new work, stops containers unless they are to go on, ends all streams, and waits until all teardown
    /// is finished.
    pub async fn shutdown(&self) {
        todo!()
    }
}
