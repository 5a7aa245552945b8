//! The files that every container has, whatever its image: places to mount over, and marks by which programs know
//! that they are in a container.
//!
//! They lie in a directory of their own between image and container, so that they are nobody's changes. It depends on
//! the image alone, so it is made once for each topmost layer and goes with it.
//!
//! Source: `life/changes`, `life/copy` (`running:.`), `inside/default`.

use crate::chain::{Chain, LayerId};
use crate::error::{Error, Result};
use crate::files::open_root;
use crate::store::Inner;
use crate::tar::{Entry, Kind, Time};
use crate::tree::Tree;
use crate::unpack::Unpacker;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

const DIRECTORIES: [&str; 4] = ["dev/pts", "dev/shm", "proc", "sys"];
const FILES: [&str; 6] = [".dockerenv", ".dockerinit", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"];
const LINK: (&str, &str) = ("etc/mtab", "/proc/mounts");

/// Where they lie, for an image with this topmost layer.
pub(crate) fn directory(store: &Inner, top: Option<LayerId>) -> PathBuf {
    match top {
        Some(top) => store.layer(top).join("init"),
        None => store.root.join("init"),
    }
}

/// Makes them if this is the first container on `chain`.
pub(crate) fn ensure(store: &Inner, chain: &Chain) -> Result<()> {
    let place = directory(store, chain.top().map(crate::Layer::id));
    if place.exists() {
        return Ok(());
    }
    let staging = store.stage("init")?;
    let failed = |error| Error::io("making", &place, error);
    let lower = store.lower(chain).tree().map_err(failed)?;
    let mut unpacker = Unpacker::new(open_root(staging.path()).map_err(failed)?, Some(store.marks));
    for entry in entries(&lower).map_err(failed)? {
        unpacker.apply(&entry, &mut std::io::empty())?;
    }
    unpacker.finish(&lower)?;
    match staging.rename(&place) {
        // Another container came first.
        Err(_) if place.exists() => Ok(()),
        result => result.map_err(|error| Error::io("making", &place, error)),
    }
}

/// What is to be made: directories stay as the image has them, and so does a directory in the place of a file.
fn entries(lower: &Tree) -> rustix::io::Result<Vec<Entry>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = Time { seconds: i64::try_from(now.as_secs()).unwrap_or(0), nanos: now.subsec_nanos() };
    let link = (LINK.0, Kind::Symlink(LINK.1.into()));
    let files = FILES.into_iter().map(|path| (path, Kind::File)).chain([link]);
    let wanted = DIRECTORIES.into_iter().map(|path| (path, Kind::Directory)).chain(files);
    let mut entries = Vec::new();
    for (path, kind) in wanted {
        // One that is reached through a link is none: the link is replaced.
        if lower.descend(path.as_bytes())?.is_none() {
            entries.push(Entry { modified, ..Entry::new(path, kind) });
        }
    }
    Ok(entries)
}
