//! The content of files.

use crate::error::{Error, Result};
use crate::files::shown;
use crate::tar::{ArchiveError, Entry, Extent, ReadError};
use rustix::fs::ftruncate;
use rustix::io::{Errno, pwrite};
use std::io::{BufRead, ErrorKind};
use std::os::fd::OwnedFd;

/// Zeros that fill a block of this length, as far as it is in the buffer, become a hole. Smaller holes would cost more
/// calls than they save blocks.
const HOLE: usize = 32 * 1024;

/// Writes a file's content, which `stored` gives, extent after extent.
pub(super) fn write(file: &OwnedFd, entry: &Entry, stored: &mut impl BufRead) -> Result<()> {
    let whole = [Extent { offset: 0, length: entry.size }];
    let mut end = 0;
    for extent in entry.extents.as_deref().unwrap_or(&whole) {
        let (mut at, until) = (extent.offset, extent.offset + extent.length);
        while at < until {
            let piece = match stored.fill_buf() {
                Ok([]) => return Err(ArchiveError::Truncated.into()),
                Ok(piece) => piece,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::from(error).into()),
            };
            let piece = &piece[..piece.len().min(usize::try_from(until - at).unwrap_or(usize::MAX))];
            let written =
                if entry.size < HOLE as u64 { write_all(file, at, piece) } else { write_piece(file, at, piece) };
            end = end.max(written.map_err(|error| failed(entry, error))?);
            at += piece.len() as u64;
            let length = piece.len();
            stored.consume(length);
        }
    }
    if end < entry.size {
        ftruncate(file, entry.size).map_err(|error| failed(entry, error))?;
    }
    Ok(())
}

fn failed(entry: &Entry, error: Errno) -> Error {
    match error {
        Errno::FBIG => ArchiveError::entry(&entry.path, "larger than a file can be").into(),
        _ => Error::io("writing", shown(&entry.path), error),
    }
}

/// Writes a piece but for long runs of zeros; tells where the last byte written ends.
fn write_piece(file: &OwnedFd, at: u64, piece: &[u8]) -> rustix::io::Result<u64> {
    let mut end = 0;
    let mut from = 0;
    let mut here = 0;
    while here < piece.len() {
        let to_boundary = HOLE - usize::try_from((at + here as u64) % HOLE as u64).unwrap_or(0);
        let block = &piece[here..piece.len().min(here + to_boundary)];
        if is_zero(block) {
            if from < here {
                end = write_all(file, at + from as u64, &piece[from..here])?;
            }
            from = here + block.len();
        }
        here += block.len();
    }
    if from < piece.len() {
        end = write_all(file, at + from as u64, &piece[from..])?;
    }
    Ok(end)
}

fn is_zero(block: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    block.chunks(ZEROS.len()).all(|chunk| chunk == &ZEROS[..chunk.len()])
}

fn write_all(file: &OwnedFd, mut at: u64, mut bytes: &[u8]) -> rustix::io::Result<u64> {
    while !bytes.is_empty() {
        match pwrite(file, bytes, at) {
            Ok(count) => {
                at += count as u64;
                bytes = &bytes[count..];
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(at)
}
