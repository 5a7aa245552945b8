//! Digests, computed on the way.

use drydock_core::Id;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

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

/// Filled at least this far before a buffer is handed to the hashing thread.
const BUFFER: usize = 256 * 1024;

/// Buffers on their way to the hashing thread and back: enough for both sides never to wait for a late wake-up, few
/// enough to stay in the cache.
const BUFFERS: usize = 4;

/// Reads through, and computes the digest of what was read; on a thread of its own as soon as there is more than one
/// buffer of it.
#[derive(Debug)]
pub struct Digesting<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
    read: u64,
    hasher: Option<Hasher>,
}

#[derive(Debug)]
struct Hasher {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    made: usize,
    thread: JoinHandle<Sha256>,
}

impl<R: Read> Digesting<R> {
    /// Reads from `source`.
    pub fn new(source: R) -> Self {
        Self { source, buffer: Vec::with_capacity(BUFFER), at: 0, read: 0, hasher: None }
    }

    /// Reads the rest, and gives the digest and how many bytes there were.
    ///
    /// # Errors
    /// The source's.
    pub fn finish(mut self) -> io::Result<(Digest, u64)> {
        loop {
            let length = self.fill_buf()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let hash = match self.hasher {
            Some(Hasher { full, thread, .. }) => {
                let _ = full.send(self.buffer);
                drop(full);
                // The thread only hashes: it has nothing to panic of.
                thread.join().map_err(|_| io::Error::other("the hashing thread ended"))?
            }
            None => Sha256::new().chain_update(&self.buffer),
        };
        Ok((Digest(Id::from_bytes(hash.finalize().into())), self.read))
    }

    /// Hands the buffer that was read over, and takes an empty one.
    fn turn(&mut self) -> io::Result<()> {
        let hasher = match &mut self.hasher {
            Some(hasher) => hasher,
            none => none.insert(Hasher::start()?),
        };
        let gone = |_| io::Error::other("the hashing thread ended");
        hasher.full.send(std::mem::take(&mut self.buffer)).map_err(|_| gone(()))?;
        self.buffer = if hasher.made < BUFFERS {
            hasher.made += 1;
            Vec::with_capacity(BUFFER)
        } else {
            hasher.empty.recv().map_err(|_| gone(()))?
        };
        self.at = 0;
        Ok(())
    }
}

impl Hasher {
    fn start() -> io::Result<Self> {
        let (full, to_hash) = sync_channel::<Vec<u8>>(BUFFERS);
        let (back, empty) = sync_channel(BUFFERS);
        let thread = std::thread::Builder::new().name("digest".into()).stack_size(128 * 1024).spawn(move || {
            let mut hash = Sha256::new();
            for mut buffer in to_hash {
                hash.update(&buffer);
                buffer.clear();
                let _ = back.send(buffer);
            }
            hash
        })?;
        Ok(Self { full, empty, made: 1, thread })
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
        if self.at == self.buffer.len() {
            if self.buffer.len() >= BUFFER / 2 {
                self.turn()?;
            }
            let room = BUFFER - self.buffer.len();
            self.read += self.source.by_ref().take(room as u64).read_to_end(&mut self.buffer)? as u64;
        }
        Ok(&self.buffer[self.at..])
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
