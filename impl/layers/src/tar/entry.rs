//! What an archive says of one file.

/// An entry of an archive, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it stands in the archive: any bytes but NUL, relative or not, with or without a slash at the end.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// The lower twelve bits: permissions, setuid, setgid, sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub modified: Time,
    /// Bytes of a file, holes included; 0 for all else.
    pub size: u64,
    /// Where a sparse file has data, in order; `None` for one without holes.
    pub extents: Option<Vec<Extent>>,
    /// Extended attributes: full name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file; its content follows.
    File,
    /// Another name of the file at this path of the archive.
    HardLink(Vec<u8>),
    /// A symbolic link with this target.
    Symlink(Vec<u8>),
    /// A character device: major, minor.
    Character(u32, u32),
    /// A block device: major, minor.
    Block(u32, u32),
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// Where a sparse file has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// How many.
    pub length: u64,
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since the Unix epoch, rounded down.
    pub seconds: i64,
    /// Below 10⁹.
    pub nanos: u32,
}

impl Entry {
    /// An entry with nothing but a path and a kind: root's, mode 0755, from the epoch, empty.
    #[must_use]
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind) -> Self {
        Self {
            path: path.into(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            modified: Time::default(),
            size: 0,
            extents: None,
            xattrs: Vec::new(),
        }
    }

    /// Bytes of content that stand in the archive.
    #[must_use]
    pub fn stored(&self) -> u64 {
        match &self.extents {
            None => self.size,
            Some(extents) => extents.iter().map(|extent| extent.length).sum(),
        }
    }
}
