//! Marks that say what a layer takes away from those beneath it.
//!
//! In archives: an empty file `.wh.NAME` for a file that is gone, `.wh..wh..opq` in a directory whose lower content is
//! gone. On disk overlayfs has its own: a character device 0:0, and an attribute. Where the disk takes those not (the
//! data root itself is an overlay), the archive's are used.

use rustix::fs::{FileType, Mode, Stat, XattrFlags, lgetxattr, lsetxattr, mknodat};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// What a marking file's name begins with.
pub(crate) const PREFIX: &[u8] = b".wh.";
/// What names begin with that mean nothing, but to aufs, and but for [`OPAQUE`].
pub(crate) const META: &[u8] = b".wh..wh.";
/// Marks its directory as opaque.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

const ATTRIBUTE: &[u8] = b"trusted.overlay.opaque";

/// Which marks stand on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    Overlay,
    Files,
}

impl Marks {
    /// Marks `name`, which is not there, as gone.
    pub(crate) fn whiteout(self, directory: impl AsFd, name: &[u8]) -> Result<()> {
        match self {
            Self::Overlay => mknodat(directory, name, FileType::CharacterDevice, Mode::empty(), 0),
            Self::Files => {
                let name = [PREFIX, name].concat();
                mknodat(directory, &name[..], FileType::RegularFile, Mode::empty(), 0)
            }
        }
    }

    /// Marks the directory as opaque.
    pub(crate) fn make_opaque(self, directory: impl AsFd) -> Result<()> {
        match self {
            Self::Overlay => lsetxattr(crate::files::proc_path(directory, b"."), ATTRIBUTE, b"y", XattrFlags::empty()),
            Self::Files => match mknodat(directory, OPAQUE, FileType::RegularFile, Mode::empty(), 0) {
                Err(Errno::EXIST) => Ok(()),
                result => result,
            },
        }
    }

    /// Whether the directory is opaque.
    pub(crate) fn is_opaque(self, directory: impl AsFd) -> Result<bool> {
        match self {
            Self::Overlay => {
                let mut value = [0; 1];
                match lgetxattr(crate::files::proc_path(directory, b"."), ATTRIBUTE, &mut value[..]) {
                    Ok(_) => Ok(value == *b"y"),
                    Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
                    Err(error) => Err(error),
                }
            }
            Self::Files => Ok(crate::files::stat(directory, OPAQUE)?.is_some()),
        }
    }

    /// What `name` in the directory of a layer is.
    pub(crate) fn look(self, directory: impl AsFd, name: &[u8]) -> Result<Look> {
        match (self, crate::files::stat(&directory, name)?) {
            (Self::Overlay, Some(stat)) if is_whiteout(&stat) => Ok(Look::Whiteout),
            (_, Some(stat)) => Ok(Look::There(stat)),
            (Self::Overlay, None) => Ok(Look::Absent),
            (Self::Files, None) => {
                let mark = [PREFIX, name].concat();
                Ok(if crate::files::stat(directory, &mark)?.is_some() { Look::Whiteout } else { Look::Absent })
            }
        }
    }

    /// The name that an entry on disk stands for, and whether it only marks it as gone. `None`: it stands for none.
    pub(crate) fn meaning(self, name: &[u8], stat: &Stat) -> Option<(Vec<u8>, bool)> {
        match self {
            Self::Overlay => Some((name.to_vec(), is_whiteout(stat))),
            Self::Files if name.starts_with(META) => None,
            Self::Files => match name.strip_prefix(PREFIX) {
                Some(gone) => Some((gone.to_vec(), true)),
                None => Some((name.to_vec(), false)),
            },
        }
    }

    /// Whether the disk beneath `directory` takes overlayfs's marks.
    pub(crate) fn for_disk(directory: &std::path::Path) -> Self {
        let probe = directory.join(".marks");
        let overlay = || -> Result<()> {
            rustix::fs::mkdir(&probe, Mode::RWXU)?;
            let handle = crate::files::open_root(&probe)?;
            Self::Overlay.make_opaque(&handle)?;
            mknodat(&handle, "gone", FileType::CharacterDevice, Mode::empty(), 0)
        };
        let works = overlay().is_ok();
        if let Ok(parent) = crate::files::open_root(directory) {
            let _ = crate::remove::remove_tree(parent, b".marks");
        }
        if works { Self::Overlay } else { Self::Files }
    }
}

/// What a layer says of a name.
pub(crate) enum Look {
    There(Stat),
    Whiteout,
    Absent,
}

fn is_whiteout(stat: &Stat) -> bool {
    crate::files::file_type(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}
