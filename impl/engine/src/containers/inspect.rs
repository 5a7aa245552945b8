//! `inspect`: all facts of one container.

use crate::snapshot::Snapshot;
use crate::{Engine, Error, Target};

/// A container's facts and those that only inspect tells.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its facts.
    pub snapshot: Snapshot,
    /// `CHILD-NAME:ALIAS` of each link, as `/child:/parent/alias`; `None` when there is none.
    pub links: Option<Vec<String>>,
}

impl Engine {
    /// All facts of one container.
    ///
    /// # Errors
    /// `NoSuchContainer`, `EmptyReference`, `AmbiguousReference`.
    pub fn inspect(&self, target: &Target) -> Result<Inspection, Error> {
        let _ = target;
        todo!()
    }
}
