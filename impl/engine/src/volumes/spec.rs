//! `host:container[:mode]` and `container[:mode]`.

use crate::VolumeError;
use std::path::PathBuf;

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
    /// Reads `host:container[:mode]`. Without `strict` any mode but `rw` lets read only, as older daemons had it.
    pub(crate) fn parse(text: &str, strict: bool) -> Result<Self, VolumeError> {
        let mut parts = text.split(':');
        let (Some(source), Some(destination), mode, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VolumeError::Specification(text.to_owned()));
        };
        let writable = match mode {
            None | Some("rw") => true,
            Some("ro") => false,
            Some(other) if strict => return Err(mode_of(text, other)),
            Some(_) => false,
        };
        if !source.starts_with('/') {
            return Err(VolumeError::Relative(source.to_owned()));
        }
        Ok(Self { source: clean(source).into(), destination: clean(destination), writable })
    }
}

impl VolumesFrom {
    /// Reads `container[:mode]`.
    pub(crate) fn parse(text: &str) -> Result<Self, VolumeError> {
        if text.is_empty() {
            return Err(VolumeError::Specification(text.to_owned()));
        }
        let (container, writable) = match text.split_once(':') {
            None => (text, None),
            Some((container, "rw")) => (container, Some(true)),
            Some((container, "ro")) => (container, Some(false)),
            Some((_, mode)) => return Err(mode_of(text, mode)),
        };
        Ok(Self { container: container.to_owned(), writable })
    }
}

fn mode_of(text: &str, mode: &str) -> VolumeError {
    VolumeError::Mode { specification: text.to_owned(), mode: mode.to_owned() }
}

/// `path` with `.`, double and final slashes taken out, and `..` as far as it leads: `/a/../b/` is `/b`. One that is
/// relative stays so, and an empty one is `.`: volumes are told as they were asked for.
pub(crate) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match (part, clean.last()) {
            ("..", None) if absolute => {}
            ("..", Some(last)) if *last != ".." => drop(clean.pop()),
            (part, _) => clean.push(part),
        }
    }
    match (absolute, clean.is_empty()) {
        (true, _) => format!("/{}", clean.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => clean.join("/"),
    }
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
            ("/a", "Specification"),
            ("", "Specification"),
            ("/a:/b:ro:x", "Specification"),
            ("tmp:/b", "Relative"),
            ("/a:/b:zz", "Mode"),
        ] {
            assert!(bind(text).unwrap_err().starts_with(error), "{text}");
        }
        assert!(!Bind::parse("/a:/b:zz", false).unwrap().writable);
    }

    #[test]
    fn paths_are_cleaned_and_stay_absolute_or_relative() {
        for (path, cleaned) in
            [("/a/../b/", "/b"), ("/..//../c/.", "/c"), ("/", "/"), ("", "."), ("x/./y", "x/y"), ("x/../../y", "../y")]
        {
            assert_eq!(clean(path), cleaned);
        }
    }

    #[test]
    fn volumes_from_names_a_container_and_may_have_a_mode() {
        assert_eq!(VolumesFrom::parse("a:ro").unwrap().writable, Some(false));
        assert_eq!(VolumesFrom::parse("a").unwrap().writable, None);
        assert!(matches!(VolumesFrom::parse("a:zz"), Err(VolumeError::Mode { mode, .. }) if mode == "zz"));
        assert!(matches!(VolumesFrom::parse(""), Err(VolumeError::Specification(_))));
    }
}
