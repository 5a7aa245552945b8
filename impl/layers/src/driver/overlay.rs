//! overlayfs: the kernel lays a container's directory over its layers.

use super::{Driver, Lower, Plan};
use crate::error::{Error, Result};
use crate::mount;
use crate::tree::Part;
use crate::unpack::Unpacker;
use crate::whiteout::Marks;
use std::fs;
use std::io;
use std::path::Path;

pub(super) struct Overlay;

impl Driver for Overlay {
    fn probe(&self, scratch: &Path, marks: Marks) -> io::Result<()> {
        if marks != Marks::Overlay {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the disk takes no overlay marks"));
        }
        let lower = scratch.join("lower");
        fs::create_dir(&lower)?;
        for name in ["upper", "work"] {
            fs::create_dir(scratch.join(name))?;
        }
        let plan = self.plan(scratch, &Lower { directories: vec![lower], marks });
        let at = scratch.join("at");
        fs::create_dir(&at)?;
        mount::mount(&plan, &at).map(drop)
    }

    fn create(&self, own: &Path, lower: &Lower) -> Result<()> {
        for name in ["upper", "work"] {
            let path = own.join(name);
            fs::create_dir(&path).map_err(|error| Error::io("making", path, error))?;
        }
        // The root's attributes are those of the topmost directory: an archive without entries takes them from below.
        let upper = own.join("upper");
        let handle = crate::files::open_root(&upper).map_err(|error| Error::io("opening", &upper, error))?;
        let tree = lower.tree().map_err(|error| Error::io("opening the layers of", own, error))?;
        Unpacker::new(handle, Some(lower.marks)).finish(&tree).map(drop)
    }

    fn plan(&self, own: &Path, lower: &Lower) -> Plan {
        Plan::Overlay {
            lower: lower.directories.clone(),
            upper: own.join("upper"),
            work: own.join("work"),
            options: mount::options_to_switch_off(),
        }
    }

    fn upper(&self, own: &Path, marks: Marks) -> rustix::io::Result<Part> {
        Ok(Part { handle: crate::files::open_root(&own.join("upper"))?, marks: Some(marks) })
    }
}
