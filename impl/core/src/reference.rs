//! References to images: `repository[:tag]` or `repository[@digest]`, where the repository may begin with a registry.

use std::fmt;
use std::ops::RangeInclusive;

/// A reference as its parts. Made by [`ImageReference::split`], which takes any text: grammar is checked apart, since
/// the daemons checked it only where something was to be stored or fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageReference {
    /// Everything before the tag or digest.
    pub repository: String,
    /// What follows, if anything does.
    pub selector: Option<Selector>,
}

/// Which of a repository's images is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// After a colon.
    Tag(String),
    /// After an `@`: `algorithm:hex`.
    Digest(String),
}

impl ImageReference {
    /// The tag of a reference without one.
    pub const DEFAULT_TAG: &'static str = "latest";

    /// Splits `text` at the first `@`, else at the last colon with no slash behind it (a colon before a slash is a
    /// registry's port). An empty tag or digest is none.
    #[must_use]
    pub fn split(text: &str) -> Self {
        if let Some((repository, digest)) = text.split_once('@') {
            let digest = digest.split('@').next().unwrap_or_default();
            return Self::new(
                repository,
                Some(digest).filter(|d| !d.is_empty()).map(|d| Selector::Digest(d.to_owned())),
            );
        }
        match text.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => {
                Self::new(repository, Some(tag).filter(|t| !t.is_empty()).map(|t| Selector::Tag(t.to_owned())))
            }
            _ => Self::new(text, None),
        }
    }

    fn new(repository: &str, selector: Option<Selector>) -> Self {
        Self { repository: repository.to_owned(), selector }
    }

    /// The tag, [`Self::DEFAULT_TAG`] when nothing was selected, `None` for a digest.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        match &self.selector {
            None => Some(Self::DEFAULT_TAG),
            Some(Selector::Tag(tag)) => Some(tag),
            Some(Selector::Digest(_)) => None,
        }
    }

    /// The registry's host (with port) and the name within it; no host where the first part looks like none.
    #[must_use]
    pub fn registry(&self) -> (Option<&str>, &str) {
        split_registry(&self.repository)
    }
}

impl fmt::Display for ImageReference {
    /// As [`ImageReference::split`] took it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        match &self.selector {
            None => Ok(()),
            Some(Selector::Tag(tag)) => write!(f, ":{tag}"),
            Some(Selector::Digest(digest)) => write!(f, "@{digest}"),
        }
    }
}

fn split_registry(repository: &str) -> (Option<&str>, &str) {
    match repository.split_once('/') {
        Some((host, name)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), name),
        _ => (None, repository),
    }
}

/// What a repository's name may be, which differed between daemons.
#[derive(Clone, Debug)]
pub struct RepositoryRules {
    /// Length of the namespace (the part before the slash).
    pub namespace_length: RangeInclusive<usize>,
    /// Whether a namespace may hold single hyphens within.
    pub namespace_hyphens: bool,
    /// Whether a name may begin or end with a hyphen, or be 64 hex digits.
    pub name_like_an_id_or_flag: bool,
}

/// Why a repository's name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum RepositoryError {
    #[error("a scheme in {0}")]
    Scheme(String),
    #[error("the registry {0} begins or ends with a hyphen")]
    RegistryHyphen(String),
    #[error("the name {0} is written like an id")]
    LikeId(String),
    #[error("the namespace {0} has characters that none may have")]
    NamespaceCharacters(String),
    #[error("the namespace {0} is too short or too long")]
    NamespaceLength(String),
    #[error("the namespace {0} begins or ends with a hyphen")]
    NamespaceHyphen(String),
    #[error("the namespace {0} has two hyphens in a row")]
    NamespaceHyphens(String),
    #[error("the name {0} has characters that none may have")]
    NameCharacters(String),
    #[error("the name {0} begins or ends with a hyphen")]
    NameHyphen(String),
}

impl RepositoryRules {
    /// Checks `repository` (no tag) in the daemons' order: the first reason found is the one told.
    ///
    /// # Errors
    /// The reason, with the part that it is about.
    pub fn check(&self, repository: &str) -> Result<(), RepositoryError> {
        use RepositoryError as E;
        if repository.contains("://") {
            return Err(E::Scheme(repository.to_owned()));
        }
        let (registry, remote) = split_registry(repository);
        if let Some(host) = registry.filter(|host| edge_hyphen(host)) {
            return Err(E::RegistryHyphen(host.to_owned()));
        }
        let (namespace, name) = remote.split_once('/').unwrap_or(("library", remote));
        if !self.name_like_an_id_or_flag && !remote.contains('/') && is_id(name) {
            return Err(E::LikeId(name.to_owned()));
        }
        self.check_namespace(namespace)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(E::NameCharacters(name.to_owned()));
        }
        if !self.name_like_an_id_or_flag && edge_hyphen(name) {
            return Err(E::NameHyphen(name.to_owned()));
        }
        Ok(())
    }

    fn check_namespace(&self, namespace: &str) -> Result<(), RepositoryError> {
        use RepositoryError as E;
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || (self.namespace_hyphens && b == b'-');
        if !namespace.bytes().all(plain) {
            return Err(E::NamespaceCharacters(namespace.to_owned()));
        }
        if !self.namespace_length.contains(&namespace.len()) {
            return Err(E::NamespaceLength(namespace.to_owned()));
        }
        if edge_hyphen(namespace) {
            return Err(E::NamespaceHyphen(namespace.to_owned()));
        }
        if namespace.contains("--") {
            return Err(E::NamespaceHyphens(namespace.to_owned()));
        }
        Ok(())
    }
}

fn edge_hyphen(text: &str) -> bool {
    text.starts_with('-') || text.ends_with('-')
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
}

/// What a tag may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagRules {
    /// Anything without a slash or colon.
    NoSeparators,
    /// Up to 128 of `a-z A-Z 0-9 _ . -`, the first no dot or hyphen (from 30 characters to 128 at most).
    WordFirst {
        /// Longest tag, in characters.
        longest: usize,
    },
}

/// Why a tag is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TagError {
    #[error("an empty tag")]
    Empty,
    #[error("the tag {0} has characters that none may have")]
    Illegal(String),
}

impl TagRules {
    /// Checks `tag`.
    ///
    /// # Errors
    /// The reason, with the tag.
    pub fn check(self, tag: &str) -> Result<(), TagError> {
        let legal = match self {
            _ if tag.is_empty() => return Err(TagError::Empty),
            Self::NoSeparators => !tag.contains(['/', ':']),
            Self::WordFirst { longest } => {
                tag.len() <= longest
                    && !tag.starts_with(['.', '-'])
                    && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
            }
        };
        if legal { Ok(()) } else { Err(TagError::Illegal(tag.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> (String, Option<Selector>) {
        let reference = ImageReference::split(text);
        (reference.repository, reference.selector)
    }

    #[test]
    fn a_colon_before_a_slash_is_a_port() {
        assert_eq!(split("localhost:5000/a"), ("localhost:5000/a".into(), None));
        assert_eq!(split("localhost:5000/a:b"), ("localhost:5000/a".into(), Some(Selector::Tag("b".into()))));
    }

    #[test]
    fn a_digest_is_no_tag() {
        assert_eq!(split("a@sha256:00"), ("a".into(), Some(Selector::Digest("sha256:00".into()))));
        assert_eq!(ImageReference::split("a@sha256:00").tag(), None);
        assert_eq!(ImageReference::split("a").tag(), Some("latest"));
    }

    #[test]
    fn the_first_part_is_a_registry_only_where_it_looks_like_a_host() {
        assert_eq!(ImageReference::split("a/b").registry(), (None, "a/b"));
        assert_eq!(ImageReference::split("a.b/c/d").registry(), (Some("a.b"), "c/d"));
        assert_eq!(ImageReference::split("localhost/c").registry(), (Some("localhost"), "c"));
    }

    #[test]
    fn each_rule_refuses_what_it_is_about() {
        let rules =
            RepositoryRules { namespace_length: 2..=255, namespace_hyphens: true, name_like_an_id_or_flag: false };
        for fine in ["a", "ab/c", "host.tld:1/ab/c", "a-b/c.d_e"] {
            assert_eq!(rules.check(fine), Ok(()), "{fine}");
        }
        assert!(matches!(rules.check("http://a"), Err(RepositoryError::Scheme(_))));
        assert!(matches!(rules.check("A"), Err(RepositoryError::NameCharacters(_))));
        assert!(matches!(rules.check("a--b/c"), Err(RepositoryError::NamespaceHyphens(_))));
        assert!(matches!(rules.check("a/c"), Err(RepositoryError::NamespaceLength(_))));
        assert!(matches!(rules.check(&"0".repeat(64)), Err(RepositoryError::LikeId(_))));
    }
}
