//! Links, where containers do not reach each other otherwise.

use crate::network::Inner;
use crate::rules::{Rule, Rules};
use std::sync::Arc;
use tracing::warn;

/// A way from one container to another's exposed ports. Dropping it closes the way, in the background.
#[derive(Debug)]
pub struct Link {
    network: Arc<Inner>,
    rules: Option<(Arc<Rules>, Vec<Rule>)>,
}

impl Link {
    pub(crate) fn new(network: Arc<Inner>, rules: Option<(Arc<Rules>, Vec<Rule>)>) -> Self {
        Self { network, rules }
    }

    /// Leaves the way open; the next daemon closes it when it opens its network.
    pub fn leave(mut self) {
        self.rules = None;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some((rules, own)) = self.rules.take() else { return };
        self.network.teardown.later(move || {
            if let Err(error) = rules.remove(&own) {
                warn!(%error, "the rules of a link stay");
            }
        });
    }
}
