//! API versions and half-open ranges of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A version of the Docker Remote API that Drydock describes.
///
/// The order is the order of publication. The genuine daemon of a version is the one whose newest version it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u8);

/// The six versions, oldest first.
pub const VERSIONS: [Version; 6] = [Version(14), Version(15), Version(16), Version(17), Version(18), Version(19)];

const DAEMONS: [&str; 6] = ["1.2.0", "1.3.3", "1.4.1", "1.5.0", "1.6.2", "1.7.1"];

impl Version {
    /// The oldest version described.
    pub const OLDEST: Version = VERSIONS[0];
    /// The newest version described: what a request without a prefix gets.
    pub const NEWEST: Version = VERSIONS[5];

    /// The genuine daemon whose newest version this was, e.g. `1.7.1` for 1.19.
    pub fn daemon(self) -> &'static str {
        DAEMONS[usize::from(self.0 - 14)]
    }

    /// The version whose genuine daemon is `daemon`, e.g. 1.18 for `1.6.2`.
    pub fn of_daemon(daemon: &str) -> Option<Self> {
        DAEMONS.iter().position(|known| *known == daemon).map(|index| VERSIONS[index])
    }

    /// The number behind the dot, e.g. 18 for 1.18.
    pub fn minor(self) -> u8 {
        self.0
    }

    /// What a prefix of digits and dots means, compared part by part as the genuine daemons did: `1.014` is 1.14, and
    /// so is what comes after it and before 1.15, as `1.14.1`.
    pub fn meant_by(number: &str) -> Meant {
        // What has no digits counts as 0, what has too many as the most there is.
        let part = |part: &str| if part.is_empty() { 0 } else { part.parse().unwrap_or(u64::MAX) };
        let mut asked: Vec<u64> = number.split('.').map(part).collect();
        while asked.last() == Some(&0) {
            asked.pop();
        }
        let parts = |version: Version| [1, u64::from(version.0)];
        if asked[..] > parts(Version::NEWEST)[..] {
            return Meant::Newer;
        }
        let known = VERSIONS.into_iter().rev().find(|version| asked[..] >= parts(*version)[..]);
        known.map_or(Meant::Older, Meant::Version)
    }
}

/// What a version prefix means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// One of the six.
    Version(Version),
    /// One above the newest.
    Newer,
    /// One below the oldest.
    Older,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

/// The text names no version of 1.14–1.19.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no version from 1.14 to 1.19")]
pub struct UnknownVersion(String);

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        VERSIONS.into_iter().find(|v| v.to_string() == text).ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A half-open range of versions, written `["1.15", "1.18"]` (gone in 1.18) or `["1.15", null]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    from: Version,
    until: Option<Version>,
}

impl Range {
    /// All versions.
    pub const ALL: Range = Range { from: Version::OLDEST, until: None };

    /// `None` when `until` is not above `from`: an empty range is a typing mistake in the spec.
    pub fn new(from: Version, until: Option<Version>) -> Option<Self> {
        match until {
            Some(until) if until <= from => None,
            _ => Some(Self { from, until }),
        }
    }

    /// Whether `version` lies in the range.
    pub fn contains(self, version: Version) -> bool {
        version >= self.from && self.until.is_none_or(|until| version < until)
    }

    /// Whether every version of `inner` lies in this range.
    pub fn covers(self, inner: Range) -> bool {
        inner.versions().all(|v| self.contains(v))
    }

    /// Whether a version lies in both.
    pub fn overlaps(self, other: Range) -> bool {
        self.versions().any(|v| other.contains(v))
    }

    /// The versions of the range, oldest first.
    pub fn versions(self) -> impl Iterator<Item = Version> {
        VERSIONS.into_iter().filter(move |v| self.contains(*v))
    }
}

impl Default for Range {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "from {} until {until}", self.from),
            None => write!(f, "from {}", self.from),
        }
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (from, until) = <(Version, Option<Version>)>::deserialize(from)?;
        Range::new(from, until)
            .ok_or_else(|| D::Error::custom("the range is empty: its end is not above its beginning"))
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.from, self.until).serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_means_the_version_that_it_is_not_before() {
        let meant = |number: &str| match Version::meant_by(number) {
            Meant::Version(version) => version.to_string(),
            other => format!("{other:?}"),
        };
        for (number, expected) in [
            ("1.14", "1.14"),
            ("01.014", "1.14"),
            ("1.14.", "1.14"),
            ("1.14.0", "1.14"),
            ("1.14.1", "1.14"),
            ("1.19", "1.19"),
            ("1.19.1", "Newer"),
            ("1.20", "Newer"),
            ("2", "Newer"),
            ("9999999999999999999999", "Newer"),
            ("1.13.9", "Older"),
            ("1..14", "Older"),
            (".", "Older"),
            ("0.5", "Older"),
        ] {
            assert_eq!(meant(number), expected, "{number}");
        }
    }

    #[test]
    fn a_range_is_half_open() {
        let range: Range = serde_json::from_str(r#"["1.15", "1.18"]"#).unwrap();
        assert_eq!(range.versions().map(|v| v.to_string()).collect::<Vec<_>>(), ["1.15", "1.16", "1.17"]);
    }

    #[test]
    fn an_empty_or_unknown_range_is_refused() {
        for text in
            [r#"["1.18", "1.18"]"#, r#"["1.18", "1.15"]"#, r#"["1.13", null]"#, r#"["1.20", null]"#, r#"[null, null]"#]
        {
            assert!(serde_json::from_str::<Range>(text).is_err(), "{text}");
        }
    }
}
