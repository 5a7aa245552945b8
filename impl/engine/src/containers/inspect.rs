//! `inspect`: all facts of one container.

use crate::snapshot::Snapshot;
use crate::{Engine, Error, Target};
use std::sync::Arc;

/// A container's facts and those that only inspect tells.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its facts.
    pub snapshot: Arc<Snapshot>,
    /// Each link, as `/CHILD:/PARENT/ALIAS`.
    pub links: Vec<String>,
}

impl Engine {
    /// All facts of one container.
    ///
    /// # Errors
    /// `NoSuchContainer`, `EmptyReference`, `AmbiguousReference`.
    pub fn inspect(&self, target: &Target) -> Result<Inspection, Error> {
        let container = self.find(target)?;
        let snapshot = container.view();
        let links = match self.0.registry.has_links() {
            false => Vec::new(),
            true => self.0.registry.children(container.id),
        };
        let links = links.into_iter().map(|(alias, child)| {
            let child = child.view();
            format!("/{}:/{}/{alias}", child.name, snapshot.name)
        });
        Ok(Inspection { links: links.collect(), snapshot })
    }
}
