//! Lists of images.

use crate::Images;
use crate::graph::Node;
use crate::image::{Image, Inspection};
use crate::pattern::matches;
use std::cmp::Reverse;

/// Which images are listed.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Also those that others are made from and no tag points to.
    pub all: bool,
    /// Only repositories whose whole name matches this pattern (`*` matches no slash); untagged images don't match.
    pub repository: Option<String>,
    /// Only those that nothing points to.
    pub dangling: bool,
    /// Only those with all of these labels: `key` or `key=value`.
    pub labels: Vec<String>,
}

impl Query {
    fn takes_repository(&self, name: &str) -> bool {
        self.repository.as_deref().is_none_or(|pattern| matches(pattern, name))
    }

    fn takes_labels(&self, image: &Image) -> bool {
        self.labels.iter().all(|wanted| {
            let (key, value) =
                wanted.split_once('=').map_or((wanted.as_str(), None), |(key, value)| (key, Some(value)));
            let found =
                image.labels().and_then(|labels| labels.get(key)).map(|found| found.as_str().unwrap_or_default());
            found.is_some_and(|found| value.is_none_or(|value| value == found))
        })
    }
}

impl Images {
    /// Images as `query` asks, the newest first. Tags of repositories that don't match are not shown.
    ///
    /// Source: `images/basics`. As with the genuine daemons a repository's pattern beside labels leaves images of
    /// other repositories in, as if nothing pointed to them.
    #[must_use]
    pub fn list(&self, query: &Query) -> Vec<Inspection> {
        let graph = self.graph();
        let taken = |node: &Node| graph.names(node.image.id).any(|(name, _)| query.takes_repository(name));
        let listed = |node: &Node| {
            if !query.takes_labels(&node.image) {
                return false;
            }
            if taken(node) {
                return !query.dangling;
            }
            let is_head = graph.children(Some(node.image.id)).next().is_none();
            (is_head || (query.all && !query.dangling)) && (query.repository.is_none() || !query.labels.is_empty())
        };
        let inspect = |node: &Node| graph.inspect(node, |name| query.takes_repository(name));
        let mut images: Vec<Inspection> = graph.all().filter(|node| listed(node)).map(|node| inspect(node)).collect();
        images.sort_by_key(|listed| (Reverse(listed.image.created), listed.image.id));
        images
    }
}
