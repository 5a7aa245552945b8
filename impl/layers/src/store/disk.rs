//! Making and removing on disk so that nothing is ever seen by half.

use crate::error::{Error, Result};
use crate::files;
use crate::remove::remove_tree;
use drydock_core::{Id, fault};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What was taken out of sight and is to be removed.
pub(super) struct Trash(PathBuf);

impl Trash {
    /// Takes `path` out of sight, into the directory `trash`.
    pub(super) fn take(trash: &Path, path: &Path) -> Result<Self> {
        let to = trash.join(Id::random().short());
        let failed = |error| Error::io("removing", path, error);
        fault::point("layers.trash").map_err(failed)?;
        match fs::rename(path, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(Self(to)),
        }
    }

    pub(super) fn empty(self) -> Result<()> {
        fault::point("layers.remove").map_err(|error| Error::io("removing", &self.0, error))?;
        remove(&self.0)
    }
}

/// A directory in which something is being made. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Staging(Option<PathBuf>);

impl Staging {
    /// A fresh directory in `staging`.
    pub(super) fn new(staging: &Path, what: &str) -> Result<Self> {
        let path = staging.join(format!("{what}-{}", Id::random().short()));
        fs::create_dir(&path).map_err(|error| Error::io("making", &path, error))?;
        Ok(Self(Some(path)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Puts what was made in its place.
    pub(crate) fn rename(mut self, to: &Path) -> io::Result<()> {
        if let Some(path) = &self.0 {
            fs::rename(path, to)?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = remove(path)
        {
            tracing::warn!(path = %path.display(), %error, "removing; the next start removes the rest");
        }
    }
}

pub(super) fn remove(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = files::open_root(parent).map_err(|error| Error::io("opening", parent, error))?;
    remove_tree(parent, name.as_bytes())
}

pub(super) fn empty(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory).map_err(|error| Error::io("listing", directory, error))?;
    for entry in entries {
        remove(&entry.map_err(|error| Error::io("listing", directory, error))?.path())?;
    }
    Ok(())
}

/// Names in `directory` that are ids.
pub(super) fn ids(directory: &Path) -> Result<Vec<Id>> {
    let failed = |error| Error::io("listing", directory, error);
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        ids.extend(entry.map_err(failed)?.file_name().to_str().and_then(|name| name.parse::<Id>().ok()));
    }
    Ok(ids)
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let failed = |error| Error::io("reading", path, error);
    serde_json::from_slice(&fs::read(path).map_err(failed)?).map_err(|error| failed(error.into()))
}

/// Writes a file whole or not at all, durably.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |error| Error::io("writing", path, error);
    let half = path.with_extension("half");
    let write = || {
        let mut file = fs::File::create(&half)?;
        serde_json::to_writer(&mut file, value)?;
        fs::rename(&half, path)
    };
    write().map_err(failed)
}
