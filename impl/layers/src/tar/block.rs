//! The 512-byte header block.

use super::ArchiveError;

pub(super) const BLOCK: usize = 512;

/// Pieces of a sparse map as they stand: offset and length.
pub(super) type Pairs = Vec<(i64, i64)>;

/// A header block, fields as they stand.
pub(super) struct Block(pub(super) [u8; BLOCK]);

/// Where a field stands: first byte, length.
type Field = (usize, usize);

pub(super) const NAME: Field = (0, 100);
const MODE: Field = (100, 8);
const UID: Field = (108, 8);
const GID: Field = (116, 8);
pub(super) const SIZE: Field = (124, 12);
const MTIME: Field = (136, 12);
const CHECKSUM: Field = (148, 8);
const KIND: usize = 156;
pub(super) const LINK: Field = (157, 100);
const MAGIC: Field = (257, 8);
const MAJOR: Field = (329, 8);
const MINOR: Field = (337, 8);
const PREFIX: Field = (345, 155);
const GNU_SPARSE: usize = 386;
const GNU_SPARSE_MORE: usize = 482;
const GNU_REAL_SIZE: Field = (483, 12);

/// Sparse entries in a header block, and in each block that continues it.
const IN_HEADER: usize = 4;
const IN_CONTINUATION: usize = 21;

impl Block {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Refuses a block whose checksum is wrong. Some writers summed signed bytes.
    pub(super) fn verify(&self) -> Result<(), ArchiveError> {
        let stored = octal(self.field(CHECKSUM)).ok_or(ArchiveError::Malformed("a header without checksum"))?;
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (at, &byte) in self.0.iter().enumerate() {
            let byte = if (CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1).contains(&at) { b' ' } else { byte };
            unsigned += i64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        if stored == unsigned || stored == signed {
            Ok(())
        } else {
            Err(ArchiveError::Malformed("a header whose checksum is wrong"))
        }
    }

    fn field(&self, (at, length): Field) -> &[u8] {
        &self.0[at..at + length]
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[KIND]
    }

    /// A text field: up to the first NUL.
    pub(super) fn text(&self, field: Field) -> &[u8] {
        let bytes = self.field(field);
        &bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len())]
    }

    /// The path, with ustar's prefix.
    pub(super) fn path(&self) -> Vec<u8> {
        let prefix = if self.field(MAGIC).starts_with(b"ustar\0") { self.text(PREFIX) } else { b"" };
        let mut path = prefix.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(self.text(NAME));
        path
    }

    fn number(&self, field: Field) -> Result<i64, ArchiveError> {
        number(self.field(field)).ok_or(ArchiveError::Malformed("a header with a number that is none"))
    }

    pub(super) fn mode(&self) -> Result<u32, ArchiveError> {
        Ok(u32::try_from(self.number(MODE)? & 0o7777).unwrap_or(0))
    }

    pub(super) fn uid(&self) -> Result<i64, ArchiveError> {
        self.number(UID)
    }

    pub(super) fn gid(&self) -> Result<i64, ArchiveError> {
        self.number(GID)
    }

    pub(super) fn size(&self) -> Result<i64, ArchiveError> {
        self.number(SIZE)
    }

    pub(super) fn mtime(&self) -> Result<i64, ArchiveError> {
        self.number(MTIME)
    }

    pub(super) fn device(&self) -> Result<(u32, u32), ArchiveError> {
        let part = |field| {
            u32::try_from(self.number(field)?).map_err(|_| ArchiveError::Malformed("a device number out of range"))
        };
        Ok((part(MAJOR)?, part(MINOR)?))
    }

    /// GNU's old sparse header: real size, extents, and whether more of them follow.
    pub(super) fn gnu_sparse(&self) -> Result<(i64, Pairs, bool), ArchiveError> {
        let extents = sparse_pairs(&self.0[GNU_SPARSE..], IN_HEADER)?;
        Ok((self.number(GNU_REAL_SIZE)?, extents, self.0[GNU_SPARSE_MORE] != 0))
    }

    /// A block that continues GNU's old sparse header.
    pub(super) fn gnu_sparse_continued(&self) -> Result<(Pairs, bool), ArchiveError> {
        Ok((sparse_pairs(&self.0, IN_CONTINUATION)?, self.0[IN_CONTINUATION * 24] != 0))
    }

    /// A ustar block of `kind`, all numbers 0.
    pub(super) fn ustar(kind: u8) -> Self {
        let mut block = Self([0; BLOCK]);
        block.0[KIND] = kind;
        block.put(MAGIC, b"ustar\x0000");
        for field in [MODE, UID, GID, SIZE, MTIME] {
            block.put_number(field, 0);
        }
        block
    }

    fn put(&mut self, (at, _): Field, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts `text` if it fits.
    pub(super) fn put_text(&mut self, field: Field, text: &[u8]) -> bool {
        let fits = text.len() <= field.1;
        if fits {
            self.put(field, text);
        }
        fits
    }

    /// Puts a path, in two parts if need be and possible.
    pub(super) fn put_path(&mut self, path: &[u8]) -> bool {
        if self.put_text(NAME, path) {
            return true;
        }
        let cut =
            path.iter().enumerate().position(|(at, &byte)| byte == b'/' && at > 0 && path.len() - at - 1 <= NAME.1);
        match cut {
            Some(cut) if cut <= PREFIX.1 && cut + 1 < path.len() => {
                self.put_text(PREFIX, &path[..cut]) && self.put_text(NAME, &path[cut + 1..])
            }
            _ => false,
        }
    }

    /// Puts `number` in octal if it fits.
    fn put_number(&mut self, (at, length): Field, number: u64) -> bool {
        let digits = length - 1;
        let fits = digits * 3 >= 64 || number >> (digits * 3) == 0;
        if fits {
            for place in 0..digits {
                let digit = (number >> (3 * (digits - 1 - place))) & 7;
                self.0[at + place] = b'0' + u8::try_from(digit).unwrap_or(0);
            }
            self.0[at + digits] = 0;
        }
        fits
    }

    pub(super) fn put_mode(&mut self, mode: u32) {
        self.put_number(MODE, u64::from(mode));
    }

    pub(super) fn put_uid(&mut self, uid: u32) -> bool {
        self.put_number(UID, u64::from(uid))
    }

    pub(super) fn put_gid(&mut self, gid: u32) -> bool {
        self.put_number(GID, u64::from(gid))
    }

    pub(super) fn put_size(&mut self, size: u64) -> bool {
        self.put_number(SIZE, size)
    }

    pub(super) fn put_mtime(&mut self, seconds: i64) -> bool {
        u64::try_from(seconds).is_ok_and(|seconds| self.put_number(MTIME, seconds))
    }

    pub(super) fn put_device(&mut self, major: u32, minor: u32) -> bool {
        self.put_number(MAJOR, u64::from(major)) && self.put_number(MINOR, u64::from(minor))
    }

    /// Turns a ustar block into GNU's sparse one: the prefix must be empty. Returns the extents that did not fit.
    pub(super) fn put_gnu_sparse<'a>(&mut self, real: u64, extents: &'a [(u64, u64)]) -> &'a [(u64, u64)] {
        self.0[KIND] = b'S';
        self.put(MAGIC, b"ustar  \0");
        put_large(&mut self.0[GNU_REAL_SIZE.0..][..12], real);
        let (here, rest) = extents.split_at(extents.len().min(IN_HEADER));
        put_pairs(&mut self.0[GNU_SPARSE..], here);
        self.0[GNU_SPARSE_MORE] = u8::from(!rest.is_empty());
        rest
    }

    /// A block that continues GNU's sparse header. Returns the extents that did not fit.
    pub(super) fn gnu_continuation(extents: &[(u64, u64)]) -> (Self, &[(u64, u64)]) {
        let mut block = Self([0; BLOCK]);
        let (here, rest) = extents.split_at(extents.len().min(IN_CONTINUATION));
        put_pairs(&mut block.0, here);
        block.0[IN_CONTINUATION * 24] = u8::from(!rest.is_empty());
        (block, rest)
    }

    /// Sets the checksum: to be called last.
    pub(super) fn seal(&mut self) {
        self.put(CHECKSUM, b"        ");
        let sum: u32 = self.0.iter().map(|&byte| u32::from(byte)).sum();
        self.put(CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
    }
}

fn sparse_pairs(bytes: &[u8], count: usize) -> Result<Pairs, ArchiveError> {
    let mut pairs = Vec::new();
    for pair in bytes.chunks_exact(24).take(count) {
        // An empty field ends the list.
        if pair[0] == 0 {
            break;
        }
        let part = |bytes| number(bytes).ok_or(ArchiveError::Malformed("a sparse map with a number that is none"));
        pairs.push((part(&pair[..12])?, part(&pair[12..])?));
    }
    Ok(pairs)
}

fn put_pairs(bytes: &mut [u8], pairs: &[(u64, u64)]) {
    for (place, &(offset, length)) in bytes.chunks_exact_mut(24).zip(pairs) {
        put_large(&mut place[..12], offset);
        put_large(&mut place[12..], length);
    }
}

/// A number of GNU's header: octal, or binary when it does not fit.
fn put_large(place: &mut [u8], number: u64) {
    if number >> 33 == 0 {
        place.copy_from_slice(format!("{number:011o}\0").as_bytes());
    } else {
        place.fill(0);
        place[0] = 0x80;
        place[4..].copy_from_slice(&number.to_be_bytes());
    }
}

/// A number in octal or, with the top bit set, in two's complement of base 256.
fn number(bytes: &[u8]) -> Option<i64> {
    let (&first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return octal(bytes);
    }
    let mut value = if first & 0x40 == 0 { i128::from(first & 0x3f) } else { i128::from(first) - 256 };
    for &byte in rest {
        value = (value << 8) | i128::from(byte);
        if i64::try_from(value).is_err() {
            return None;
        }
    }
    i64::try_from(value).ok()
}

/// Octal digits between blanks and NULs. None at all is 0, as an unused field is.
fn octal(bytes: &[u8]) -> Option<i64> {
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let digits = &digits[..digits.iter().position(blank).unwrap_or(digits.len())];
    let mut value = 0_i64;
    for &digit in digits {
        if !matches!(digit, b'0'..=b'7') {
            return None;
        }
        value = value.checked_mul(8)?.checked_add(i64::from(digit - b'0'))?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_octal_and_in_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(&[0; 8]), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(b"12a4567\0"), None);
        assert_eq!(number(&[0xbf; 12]), None);
    }

    #[test]
    fn a_long_path_is_cut_at_a_slash_where_both_parts_fit() {
        let path = [&[b'd'; 120][..], b"/", &[b'f'; 90][..]].concat();
        let mut block = Block::ustar(b'0');
        assert!(block.put_path(&path));
        assert_eq!(block.path(), path);
        assert!(!Block::ustar(b'0').put_path(&[b'x'; 101]));
        assert!(!Block::ustar(b'0').put_path(&[&[b'd'; 160][..], b"/f"].concat()));
    }

    #[test]
    fn a_sealed_block_verifies_and_a_changed_one_does_not() {
        let mut block = Block::ustar(b'0');
        block.seal();
        assert!(block.verify().is_ok());
        block.0[0] ^= 1;
        assert!(block.verify().is_err());
    }
}
