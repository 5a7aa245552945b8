//! Tags.

use crate::graph::local_name;
use crate::store::{Change, find};
use crate::{Error, Images, Result};
use drydock_core::{Id, ImageReference, TagRules};

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

impl TagPolicy {
    /// What a repository may be called, and a tag; the tag, `latest` when empty.
    ///
    /// # Errors
    /// `RepositoryEmpty`, `RepositoryReserved`, `Tag`.
    pub fn check<'a>(&self, repository: &str, tag: &'a str) -> Result<&'a str> {
        if repository.is_empty() {
            return Err(Error::RepositoryEmpty);
        }
        if self.reserved.contains(&repository) {
            return Err(Error::RepositoryReserved(repository.to_owned()));
        }
        let tag = if tag.is_empty() { ImageReference::DEFAULT_TAG } else { tag };
        self.tags.check(tag)?;
        Ok(tag)
    }
}

impl Images {
    /// Points `repository:tag` (`latest` when empty) to an image.
    ///
    /// # Errors
    /// In this order: those of [`Images::find`], `RepositoryEmpty`, `RepositoryReserved`, `Tag`, `TagTaken`.
    pub fn tag(&self, reference: &str, repository: &str, tag: &str, force: bool, policy: &TagPolicy) -> Result<Id> {
        let mut writing = self.write();
        let (id, taken) = {
            let graph = self.graph();
            let id = find(&graph, reference)?.0.image.id;
            let tag = policy.check(repository, tag)?;
            (id, graph.pointed_to(local_name(repository), tag))
        };
        let tag = policy.check(repository, tag)?.to_owned();
        if let Some(is) = taken.filter(|_| !force && !policy.replace) {
            return Err(Error::TagTaken { repository: repository.to_owned(), tag, is });
        }
        writing.commit(&[Change::Tag(local_name(repository).to_owned(), tag, id)])?;
        Ok(id)
    }

    /// Points `repository@digest` to an image.
    ///
    /// # Errors
    /// `NoSuchImage`, `RepositoryEmpty`, `DigestMalformed`, `DigestTaken`.
    pub fn tag_digest(&self, image: Id, repository: &str, digest: &str) -> Result<()> {
        if repository.is_empty() {
            return Err(Error::RepositoryEmpty);
        }
        if !is_wellformed(digest) {
            return Err(Error::DigestMalformed(digest.to_owned()));
        }
        let mut writing = self.write();
        let taken = {
            let graph = self.graph();
            find(&graph, &image.to_string())?;
            graph.pointed_to(local_name(repository), digest)
        };
        match taken {
            Some(is) if is == image => Ok(()),
            Some(is) => Err(Error::DigestTaken { repository: repository.to_owned(), digest: digest.to_owned(), is }),
            None => writing.commit(&[Change::Tag(local_name(repository).to_owned(), digest.to_owned(), image)]),
        }
    }
}

/// `[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+`
fn is_wellformed(digest: &str) -> bool {
    let algorithm = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'.');
    digest.split_once(':').is_some_and(|(name, hex)| {
        !name.is_empty() && name.bytes().all(algorithm) && !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit())
    })
}
