//! Digests, computed on the way.

use drydock_core::Id;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, BufRead, Read};

/// A SHA-256 digest, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub Id);

impl Digest {
    /// Of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Id::from_bytes(Sha256::digest(bytes).into()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl std::str::FromStr for Digest {
    type Err = drydock_core::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:").ok_or(drydock_core::ParseIdError)?.parse().map(Self)
    }
}

const BUFFER: usize = 256 * 1024;

/// Reads through, and computes the digest of what was read.
///
/// Not on a thread of its own: hashing takes about as long as the kernel takes to write the same bytes to files, but two
/// threads that hand buffers to each other wait for the scheduler wherever the cores have other work, and were slower
/// by far under load.
#[derive(Debug)]
pub struct Digesting<R> {
    source: R,
    buffer: Box<[u8]>,
    filled: usize,
    at: usize,
    read: u64,
    hash: Sha256,
}

impl<R: Read> Digesting<R> {
    /// Reads from `source`.
    pub fn new(source: R) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        Self { source, buffer, filled: 0, at: 0, read: 0, hash: Sha256::new() }
    }

    /// Reads the rest, and gives the digest and how many bytes there were.
    ///
    /// # Errors
    /// The source's.
    pub fn finish(mut self) -> io::Result<(Digest, u64)> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                return Ok((Digest(Id::from_bytes(self.hash.finalize().into())), self.read));
            }
            self.consume(length);
        }
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Digesting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.filled {
            (self.at, self.filled) = (0, 0);
            self.filled = self.source.read(&mut self.buffer)?;
            self.read += self.filled as u64;
            self.hash.update(&self.buffer[..self.filled]);
        }
        Ok(&self.buffer[self.at..self.filled])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_all_bytes_however_many_and_however_they_are_read() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, bytes.len()] {
            let mut reader = Digesting::new(&bytes[..length]);
            let mut some = vec![0; length / 2];
            reader.read_exact(&mut some).unwrap();
            assert_eq!(some, bytes[..length / 2]);
            assert_eq!(reader.finish().unwrap(), (Digest::of(&bytes[..length]), length as u64));
        }
    }

    #[test]
    fn a_digest_reads_back_as_it_was_written() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.0.to_string().parse::<Digest>().is_err());
    }
}
