//! `host:container[:mode]` and `container[:mode]`.

use crate::Error;
use std::path::{Component, Path, PathBuf};

/// A bind as a client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) destination: String,
    pub(crate) writable: bool,
}

/// A container to take volumes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VolumesFrom {
    pub(crate) container: String,
    /// `None`: as the container has them.
    pub(crate) writable: Option<bool>,
}

impl Bind {
    /// Reads `host:container[:mode]`. Without `strict` any mode other than `ro` lets write, as older daemons had it.
    pub(crate) fn parse(text: &str, strict: bool) -> Result<Self, Error> {
        let malformed = || Error::VolumeSpecification(text.to_owned());
        let mut parts = text.split(':');
        let (Some(source), Some(destination), mode, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let writable = match mode {
            None | Some("rw") => true,
            Some("ro") => false,
            Some(other) if strict => return Err(Error::VolumeMode(other.to_owned())),
            Some(_) => true,
        };
        if !source.starts_with('/') {
            return Err(Error::VolumeRelative(source.to_owned()));
        }
        Ok(Self { source: clean(source).into(), destination: clean(destination), writable })
    }
}

impl VolumesFrom {
    /// Reads `container[:mode]`.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::VolumeSpecification(text.to_owned()));
        }
        let (container, writable) = match text.split_once(':') {
            None => (text, None),
            Some((container, "rw")) => (container, Some(true)),
            Some((container, "ro")) => (container, Some(false)),
            Some((_, mode)) => return Err(Error::VolumeMode(mode.to_owned())),
        };
        Ok(Self { container: container.to_owned(), writable })
    }
}

/// `path` with `.`, `..`, double and final slashes taken out, as a path from the root: `/a/../b/` is `/b`.
pub(crate) fn clean(path: &str) -> String {
    let mut clean: Vec<&str> = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(clean.pop()),
            Component::Normal(name) => clean.push(name.to_str().unwrap_or_default()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    format!("/{}", clean.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_has_two_paths_and_may_have_a_mode() {
        let bind = |text| Bind::parse(text, true).map_err(|error| format!("{error:?}"));
        let read_only = bind("/a:/b:ro").unwrap();
        assert_eq!((read_only.destination.as_str(), read_only.writable), ("/b", false));
        assert!(bind("/a:/b").unwrap().writable);
        for (text, error) in [
            ("/a", "VolumeSpecification"),
            ("", "VolumeSpecification"),
            ("/a:/b:ro:x", "VolumeSpecification"),
            ("tmp:/b", "VolumeRelative"),
            ("/a:/b:zz", "VolumeMode"),
        ] {
            assert!(bind(text).unwrap_err().starts_with(error), "{text}");
        }
        assert!(Bind::parse("/a:/b:zz", false).unwrap().writable);
    }

    #[test]
    fn paths_are_cleaned_and_stay_below_the_root() {
        for (path, cleaned) in [("/a/../b/", "/b"), ("/..//../c/.", "/c"), ("/", "/"), ("", "/"), ("x/y", "/x/y")] {
            assert_eq!(clean(path), cleaned);
        }
    }

    #[test]
    fn volumes_from_names_a_container_and_may_have_a_mode() {
        assert_eq!(VolumesFrom::parse("a:ro").unwrap().writable, Some(false));
        assert_eq!(VolumesFrom::parse("a").unwrap().writable, None);
        assert!(matches!(VolumesFrom::parse("a:zz"), Err(Error::VolumeMode(mode)) if mode == "zz"));
        assert!(matches!(VolumesFrom::parse(""), Err(Error::VolumeSpecification(_))));
    }
}
