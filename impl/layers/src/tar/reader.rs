//! Reading an archive.

use super::block::{BLOCK, Block, LINK};
use super::pax::Records;
use super::sparse;
use super::{ArchiveError, Entry, Extent, Kind, ReadError, Time};
use std::io::{self, BufRead, Read};

/// Names and PAX records beyond this are refused: they are held in memory.
const MOST_METADATA: u64 = 1 << 20;

/// Reads entries one after the other. The content of the current one is what [`Read`] and [`BufRead`] give: of a sparse
/// file only the bytes that are stored, extent after extent. What is not read is skipped.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    global: Records,
    /// Stored content of the current entry that was not read yet.
    left: u64,
    /// Zeros after it.
    padding: u64,
    ended: bool,
}

/// What stands before an entry and belongs to it.
#[derive(Default)]
struct Before {
    records: Records,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from `source`, which is not compressed.
    pub fn new(source: R) -> Self {
        Self { source, global: Records::default(), left: 0, padding: 0, ended: false }
    }

    /// The next entry, `None` after the last.
    ///
    /// # Errors
    /// `Truncated`, `Malformed`, `Source`.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        self.skip()?;
        let mut before: Option<Before> = None;
        while let Some(block) = self.header()? {
            let pending = before.get_or_insert_with(|| Before { records: self.global.clone(), ..Before::default() });
            match block.kind() {
                b'x' | b'X' => pending.records.read(&metadata(self, &block)?)?,
                b'g' => {
                    let text = metadata(self, &block)?;
                    self.global.read(&text)?;
                    pending.records.read(&text)?;
                }
                b'L' => pending.long_path = Some(up_to_nul(metadata(self, &block)?)),
                b'K' => pending.long_link = Some(up_to_nul(metadata(self, &block)?)),
                b'V' => {
                    self.expect(length(block.size()?)?);
                    self.skip()?;
                }
                _ => return self.entry(&block, before.unwrap_or_default()).map(Some),
            }
        }
        match before {
            None => Ok(None),
            Some(_) => Err(ArchiveError::Truncated.into()),
        }
    }

    /// Reads what follows the archive's end, so that a checksum at the end of a compressed stream is verified.
    ///
    /// # Errors
    /// `Truncated`, `Compression`, `Source`.
    pub fn finish(mut self) -> Result<(), ReadError> {
        loop {
            let length = self.source.fill_buf()?.len();
            if length == 0 {
                return Ok(());
            }
            self.source.consume(length);
        }
    }

    /// The next block, `None` at the end: a block of zeros, or no more bytes, since some writers leave the zeros out.
    fn header(&mut self) -> Result<Option<Block>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let Some(block) = self.block()? else {
            self.ended = true;
            return Ok(None);
        };
        if block.is_zero() {
            self.ended = true;
            return Ok(None);
        }
        block.verify()?;
        Ok(Some(block))
    }

    /// A block, `None` when the source ended before its first byte.
    fn block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut block = Block([0; BLOCK]);
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block.0[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ArchiveError::Truncated.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    fn expect(&mut self, stored: u64) {
        self.left = stored;
        self.padding = stored.next_multiple_of(BLOCK as u64) - stored;
    }

    fn skip(&mut self) -> Result<(), ReadError> {
        let mut skip = self.left + self.padding;
        while skip > 0 {
            let length = self.source.fill_buf()?.len();
            if length == 0 {
                return Err(ArchiveError::Truncated.into());
            }
            let length = length.min(usize::try_from(skip).unwrap_or(usize::MAX));
            self.source.consume(length);
            skip -= length as u64;
        }
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    fn entry(&mut self, block: &Block, before: Before) -> Result<Entry, ReadError> {
        let Before { mut records, long_path, long_link } = before;
        let has_name = records.sparse.name.is_some();
        let path = records.sparse.name.take().or(records.path.take()).or(long_path).unwrap_or_else(|| block.path());
        let link = records.link.take().or(long_link).unwrap_or_else(|| block.text(LINK).to_vec());
        let kind = match block.kind() {
            // Before ustar a slash at the end made a directory.
            0 | b'0' if path.ends_with(b"/") && !has_name => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink(link),
            b'2' => Kind::Symlink(link),
            b'3' | b'4' => {
                let (major, minor) = block.device()?;
                if block.kind() == b'3' { Kind::Character(major, minor) } else { Kind::Block(major, minor) }
            }
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            _ => return Err(ArchiveError::Malformed("an entry of a kind that is unknown").into()),
        };
        let owner = |record: Option<u64>, field: i64| {
            let id = record.map_or_else(|| u32::try_from(field).ok(), |id| u32::try_from(id).ok());
            id.ok_or(ArchiveError::Malformed("an owner out of range"))
        };
        let mut entry = Entry {
            mode: block.mode()?,
            uid: owner(records.uid, block.uid()?)?,
            gid: owner(records.gid, block.gid()?)?,
            modified: records.modified.unwrap_or(Time { seconds: block.mtime()?, nanos: 0 }),
            xattrs: std::mem::take(&mut records.xattrs),
            ..Entry::new(path, kind)
        };
        // Links, devices and directories have no content, whatever their header says of a size.
        if entry.kind == Kind::File || block.kind() == b'D' {
            let stored = records.size.map_or_else(|| length(block.size()?), Ok)?;
            self.expect(limited(stored)?);
            entry.size = if entry.kind == Kind::File { stored } else { 0 };
        }
        if entry.kind == Kind::File {
            self.sparse(block, records, &mut entry)?;
        }
        Ok(entry)
    }

    /// Where the file is sparse, finds its map, in whichever form.
    fn sparse(&mut self, block: &Block, records: Records, entry: &mut Entry) -> Result<(), ReadError> {
        let extents = if block.kind() == b'S' {
            let (real, mut pairs, mut more) = block.gnu_sparse()?;
            while more {
                let block = self.block()?.ok_or(ArchiveError::Truncated)?;
                let (further, again) = block.gnu_sparse_continued()?;
                if pairs.len() + further.len() > sparse::MOST_EXTENTS || (again && further.is_empty()) {
                    return Err(ArchiveError::Malformed("a sparse map that makes no sense").into());
                }
                pairs.extend(further);
                more = again;
            }
            entry.size = limited(length(real)?)?;
            let pairs = pairs.into_iter().map(|(at, len)| (u64::try_from(at).ok(), u64::try_from(len).ok()));
            sparse::extents(pairs, entry.size)?
        } else if records.sparse.major == Some(1) {
            entry.size = limited(records.sparse.real_size.unwrap_or(entry.size))?;
            let map = self.map_before_data()?;
            sparse::from_flat(&map, entry.size)?
        } else if let Some(map) = records.sparse.map {
            entry.size = limited(records.sparse.real_size.unwrap_or(entry.size))?;
            sparse::from_flat(&map, entry.size)?
        } else {
            return Ok(());
        };
        if extents.iter().map(|extent| extent.length).sum::<u64>() != self.left {
            return Err(ArchiveError::Malformed("a sparse file with more or less data than its map says").into());
        }
        entry.extents = Some(merged(extents));
        Ok(())
    }

    /// The map of PAX form 1.0: decimal numbers, a line each, filled up to a block; their count first.
    fn map_before_data(&mut self) -> Result<Vec<u64>, ReadError> {
        const BAD: ArchiveError = ArchiveError::Malformed("a sparse map that is none");
        let (mut numbers, mut digits, mut read) = (Vec::new(), Vec::new(), 0_u64);
        let mut wanted = None;
        while wanted.is_none_or(|wanted| numbers.len() < wanted) {
            let mut byte = [0];
            self.read_exact(&mut byte)?;
            read += 1;
            match (byte[0], digits.len()) {
                (b'\n', _) => {
                    let number = super::pax::decimal(&digits).ok_or(BAD)?;
                    digits.clear();
                    match wanted {
                        Some(_) => numbers.push(number),
                        None if number > sparse::MOST_EXTENTS as u64 => return Err(BAD.into()),
                        None => wanted = Some(usize::try_from(number).unwrap_or(0) * 2),
                    }
                }
                (digit, ..20) => digits.push(digit),
                _ => return Err(BAD.into()),
            }
        }
        let fill = read.next_multiple_of(BLOCK as u64) - read;
        if fill > self.left {
            return Err(ArchiveError::Truncated.into());
        }
        io::copy(&mut self.by_ref().take(fill), &mut io::sink())?;
        Ok(numbers)
    }
}

/// Extents that touch become one.
fn merged(extents: Vec<Extent>) -> Vec<Extent> {
    let mut merged: Vec<Extent> = Vec::with_capacity(extents.len());
    for extent in extents {
        match merged.last_mut() {
            Some(last) if last.offset + last.length == extent.offset => last.length += extent.length,
            _ => merged.push(extent),
        }
    }
    merged
}

fn metadata<R: BufRead>(reader: &mut Reader<R>, block: &Block) -> Result<Vec<u8>, ReadError> {
    let size = length(block.size()?)?;
    if size > MOST_METADATA {
        return Err(ArchiveError::Malformed("a name or PAX header beyond all measure").into());
    }
    reader.expect(size);
    let mut text = Vec::new();
    reader.read_to_end(&mut text)?;
    reader.skip()?;
    Ok(text)
}

fn up_to_nul(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(text.len()));
    text
}

fn length(number: i64) -> Result<u64, ArchiveError> {
    u64::try_from(number).map_err(|_| ArchiveError::Malformed("a negative size"))
}

/// No file is larger than an offset can be.
fn limited(size: u64) -> Result<u64, ArchiveError> {
    if size <= i64::MAX as u64 - BLOCK as u64 { Ok(size) } else { Err(ArchiveError::Malformed("a size out of range")) }
}

impl<R: BufRead> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Reader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let available = self.source.fill_buf()?;
        if available.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, ArchiveError::Truncated));
        }
        Ok(&available[..available.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))])
    }

    fn consume(&mut self, count: usize) {
        self.left -= count as u64;
        self.source.consume(count);
    }
}
