//! Tags.

use crate::{Images, Result};
use drydock_core::{Id, TagRules};

/// What may be tagged how; differs between daemons.
#[derive(Clone, Debug)]
pub struct TagPolicy {
    /// Which tags are allowed.
    pub tags: TagRules,
    /// Names that no repository may have, such as `scratch`.
    pub reserved: &'static [&'static str],
    /// A tag that is set already may be moved without force.
    pub replace: bool,
}

impl Images {
    /// Points `repository:tag` (`latest` when empty) to an image.
    ///
    /// # Errors
    /// In this order: those of [`Images::find`], `RepositoryEmpty`, `RepositoryReserved`, `Tag`, `TagTaken`.
    pub fn tag(&self, reference: &str, repository: &str, tag: &str, force: bool, policy: &TagPolicy) -> Result<Id> {
        let _ = (reference, repository, tag, force, policy);
        todo!()
    }

    /// Points `repository@digest` to an image.
    ///
    /// # Errors
    /// `RepositoryEmpty`, `DigestMalformed`, `DigestTaken`.
    pub fn tag_digest(&self, image: Id, repository: &str, digest: &str) -> Result<()> {
        let _ = (image, repository, digest);
        todo!()
    }
}
