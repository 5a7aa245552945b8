//! Plain copies: each container has all files of its image for itself.

use super::{Driver, Lower, Plan};
use crate::error::{Error, Result};
use crate::pack::Packer;
use crate::tree::Part;
use crate::whiteout::Marks;
use std::fs;
use std::io::{self, BufWriter};
use std::path::Path;

pub(super) struct Vfs;

impl Driver for Vfs {
    fn probe(&self, _: &Path, _: Marks) -> io::Result<()> {
        Ok(())
    }

    /// Packs the layers and unpacks them again: what survives a layer's round trip survives this.
    fn create(&self, own: &Path, lower: &Lower) -> Result<()> {
        let root = own.join("tree");
        fs::create_dir(&root).map_err(|error| Error::io("making", &root, error))?;
        let tree = lower.tree().map_err(|error| Error::io("opening the layers of", own, error))?;
        let (reader, writer) = io::pipe().map_err(|error| Error::io("copying to", &root, error))?;
        let (packed, unpacked) = std::thread::scope(|scope| {
            let packing = scope.spawn(move || {
                let mut to = BufWriter::with_capacity(256 * 1024, writer);
                let mut packer = Packer::new(&mut to);
                packer.root(&tree)?;
                packer.finish()
            });
            let unpacked = crate::unpack::unpack_into(&root, reader);
            (packing.join(), unpacked)
        });
        match (packed, unpacked) {
            // A pipe that broke is the unpacking's failure.
            (_, Err(error @ (Error::Full { .. } | Error::Io { .. }))) | (Ok(Ok(())), Err(error)) => Err(error),
            (Ok(packed), unpacked) => packed.and(unpacked.map(drop)),
            (Err(_), _) => Err(Error::io("copying to", root, io::Error::other("the packing thread panicked"))),
        }
    }

    fn plan(&self, own: &Path, _: &Lower) -> Plan {
        Plan::Directory(own.join("tree"))
    }

    fn upper(&self, own: &Path, _: Marks) -> rustix::io::Result<Part> {
        Ok(Part { handle: crate::files::open_root(&own.join("tree"))?, marks: None })
    }
}
