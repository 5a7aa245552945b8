//! Lists of images.

use crate::{Images, Inspection};

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

impl Images {
    /// Images as `query` asks, the newest first. Tags of repositories that don't match are not shown.
    #[must_use]
    pub fn list(&self, query: &Query) -> Vec<Inspection> {
        let _ = query;
        todo!()
    }
}
