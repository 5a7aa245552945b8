//! What a store is like: its version, its marks, its driver.

use super::disk::{read_json, remove, write_json};
use crate::driver::DriverKind;
use crate::error::{Error, Result};
use crate::whiteout::Marks;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// Version of the layout on disk. A store of a newer one is refused.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
    overlay_marks: bool,
}

/// Which marks stand on the disk of the store at `root`, which is made if it is new.
pub(super) fn open(root: &Path) -> Result<Marks> {
    let path = root.join("format.json");
    if path.exists() {
        let found: Format = read_json(&path)?;
        if found.format > FORMAT {
            return Err(Error::NewerFormat { path, found: found.format, known: FORMAT });
        }
        return Ok(if found.overlay_marks { Marks::Overlay } else { Marks::Files });
    }
    let marks = Marks::for_disk(&root.join("staging"));
    write_json(&path, &Format { format: FORMAT, overlay_marks: marks == Marks::Overlay })?;
    Ok(marks)
}

/// The driver that was asked for, or the best that works.
pub(super) fn choose(root: &Path, asked: Option<DriverKind>, marks: Marks) -> Result<DriverKind> {
    let scratch = root.join("staging").join("probe");
    let works = |kind: DriverKind| {
        fs::create_dir(&scratch)?;
        let result = kind.driver().probe(&scratch, marks);
        remove(&scratch).map_err(io::Error::other)?;
        result
    };
    let failed = |kind: DriverKind, source| Error::Driver { driver: kind.name(), root: root.to_owned(), source };
    if let Some(kind) = asked {
        return works(kind).map(|()| kind).map_err(|error| failed(kind, error));
    }
    for kind in DriverKind::ALL {
        match works(kind) {
            Ok(()) => return Ok(kind),
            Err(error) => tracing::info!(driver = kind.name(), %error, "this storage driver does not work here"),
        }
    }
    Err(failed(DriverKind::Vfs, io::ErrorKind::Unsupported.into()))
}

/// What the old daemons called the file system of their data root.
pub(super) fn backing(root: &Path) -> &'static str {
    let kind = rustix::fs::statfs(root).map(|stat| stat.f_type);
    match kind {
        Ok(0xef53) => "extfs",
        Ok(0x5846_5342) => "xfs",
        Ok(0x0102_1994) => "tmpfs",
        Ok(0x9123_683e) => "btrfs",
        Ok(0x2fc1_2fc1) => "zfs",
        Ok(0x6969) => "nfs",
        _ => "<unknown>",
    }
}
