//! Writing an archive.

use super::block::{BLOCK, Block, LINK};
use super::pax::{self, Needs};
use super::{Entry, Kind};
use std::io::{self, Write};

/// Writes entries one after the other. After an entry of a file its content is to be written, exactly
/// [`Entry::stored`] bytes, by [`Writer::content`].
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    /// Content of the current entry that is still to come.
    left: u64,
    padding: usize,
}

const ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

impl<W: Write> Writer<W> {
    /// Writes to `to`, which should take large pieces well: nothing is buffered here.
    pub fn new(to: W) -> Self {
        Self { to, left: 0, padding: 0 }
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// Those of the sink; `InvalidInput` when the entry before lacks content, or a sparse map makes no sense.
    pub fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry lacks content"));
        }
        let stored = entry.stored();
        let mut bytes = ZEROS[..self.padding].to_vec();
        header(entry, stored, &mut bytes);
        self.to.write_all(&bytes)?;
        self.left = stored;
        self.padding = usize::try_from(stored.next_multiple_of(BLOCK as u64) - stored).unwrap_or(0);
        Ok(())
    }

    /// Writes content of the current entry.
    ///
    /// # Errors
    /// Those of the sink; `InvalidInput` when it is more than the entry's.
    pub fn content(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an entry has too much content"))?;
        self.to.write_all(bytes)
    }

    /// Leaves the current entry's content out, with what fills its last block, and tells how many bytes that are.
    pub(crate) fn leave_out(&mut self) -> u64 {
        let length = self.left + self.padding as u64;
        (self.left, self.padding) = (0, 0);
        length
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// Those of the sink; `InvalidInput` when the last entry lacks content.
    pub fn finish(mut self) -> io::Result<W> {
        if self.left > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an entry lacks content"));
        }
        let bytes = [&ZEROS[..self.padding], &ZEROS].concat();
        self.to.write_all(&bytes)?;
        Ok(self.to)
    }
}

/// All header blocks of an entry: PAX records if it needs them, its own block, the rest of a sparse map.
fn header(entry: &Entry, stored: u64, to: &mut Vec<u8>) {
    // The type stands in the mode, too, as in all archives of the genuine daemons (`images.load-save/all`, `life/copy`).
    let (kind, type_bits) = match entry.kind {
        Kind::File => (b'0', 0o100_000),
        Kind::HardLink(_) => (b'1', 0o100_000),
        Kind::Symlink(_) => (b'2', 0o120_000),
        Kind::Character(..) => (b'3', 0o020_000),
        Kind::Block(..) => (b'4', 0o060_000),
        Kind::Directory => (b'5', 0o040_000),
        Kind::Fifo => (b'6', 0o010_000),
    };
    let mut block = Block::ustar(kind);
    let sparse = entry.extents.is_some();
    let mut needs = Needs {
        // GNU's sparse header has no prefix.
        path: if sparse { !block.put_text(super::block::NAME, &entry.path) } else { !block.put_path(&entry.path) },
        size: !block.put_size(stored),
        uid: !block.put_uid(entry.uid),
        gid: !block.put_gid(entry.gid),
        modified: !block.put_mtime(entry.modified.seconds) || entry.modified.nanos != 0,
        link: false,
    };
    block.put_mode(type_bits | (entry.mode & 0o7777));
    match &entry.kind {
        Kind::HardLink(link) | Kind::Symlink(link) => needs.link = !block.put_text(LINK, link),
        Kind::Character(major, minor) | Kind::Block(major, minor) => {
            // Twelve and twenty bits of the kernel's always fit seven octal digits.
            block.put_device(*major, *minor);
        }
        _ => {}
    }
    // Who reads no PAX still gets some name.
    if needs.path {
        block.put_text(super::block::NAME, &entry.path[entry.path.len() - entry.path.len().min(99)..]);
    }
    let mut records = Vec::new();
    pax::write(entry, &needs, &mut records);
    if !records.is_empty() {
        let mut before = Block::ustar(b'x');
        before.put_text(super::block::NAME, b"PaxHeaders/entry");
        before.put_mode(0o644);
        before.put_size(records.len() as u64);
        before.seal();
        to.extend_from_slice(&before.0);
        records.resize(records.len().next_multiple_of(BLOCK), 0);
        to.extend_from_slice(&records);
    }
    let mut map = Vec::new();
    if let Some(extents) = &entry.extents {
        map.extend(extents.iter().map(|extent| (extent.offset, extent.length)));
        // A piece of nothing at the end tells how long the file is.
        if map.last().is_none_or(|&(offset, length)| offset + length < entry.size) {
            map.push((entry.size, 0));
        }
    }
    let mut rest = if sparse { block.put_gnu_sparse(entry.size, &map) } else { &[] };
    block.seal();
    to.extend_from_slice(&block.0);
    while !rest.is_empty() {
        let (more, left) = Block::gnu_continuation(rest);
        to.extend_from_slice(&more.0);
        rest = left;
    }
}
