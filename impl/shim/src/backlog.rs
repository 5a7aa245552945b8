//! Output that a client has not taken yet.
//!
//! Up to [`MEMORY`] bytes wait in memory; what comes on top waits in a file without a name, up to [`SPOOL`] bytes.
//! A client further behind than that is let go. The file is as long-lived as the lag.

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;

/// Bytes that wait in memory.
pub(crate) const MEMORY: usize = 64 << 10;

/// Bytes that wait in the file: more than a client at the other end of a slow line falls behind, less than a disk.
pub(crate) const SPOOL: u64 = 1 << 30;

pub(crate) struct Backlog {
    memory: VecDeque<u8>,
    spool: Option<Spool>,
    directory: Rc<Path>,
}

struct Spool {
    file: File,
    read: u64,
    written: u64,
}

impl Backlog {
    /// An empty one; its file, if it comes to that, is in `directory`.
    pub(crate) fn new(directory: Rc<Path>) -> Self {
        Self { memory: VecDeque::new(), spool: None, directory }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spool.is_none()
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        (self.memory, self.spool) = (VecDeque::new(), None);
    }

    /// Takes bytes, behind all others.
    ///
    /// # Errors
    /// `StorageFull` beyond the bound; what the disk says. The client cannot be served on.
    pub(crate) fn push(&mut self, parts: [&[u8]; 2]) -> io::Result<()> {
        if self.spool.is_none() && self.memory.len() < MEMORY {
            parts.iter().for_each(|part| self.memory.extend(*part));
            return Ok(());
        }
        let spool = match &mut self.spool {
            Some(spool) => spool,
            spool => spool.insert(Spool::new(&self.directory)?),
        };
        parts.iter().try_for_each(|part| spool.write(part))
    }

    /// Gives bytes to `write` until it takes no more or none is left.
    ///
    /// # Errors
    /// What `write` says, `WouldBlock` included, and what the disk says.
    pub(crate) fn drain(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> Result<usize, Errno>) -> io::Result<()> {
        loop {
            while !self.memory.is_empty() {
                let (front, back) = self.memory.as_slices();
                let taken = retry_on_intr(|| write(&[IoSlice::new(front), IoSlice::new(back)]))?;
                self.memory.drain(..taken);
            }
            let Some(spool) = &mut self.spool else { break };
            if !spool.read(&mut self.memory)? {
                self.spool = None;
            }
        }
        self.memory = VecDeque::new(); // Its memory is for those that lag.
        Ok(())
    }
}

impl Spool {
    fn new(directory: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => file,
            // A file system that knows no files without names.
            Err(Errno::OPNOTSUPP | Errno::ISDIR) => {
                let path = directory.join(format!("spool-{}", rustix::process::getpid()));
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
                let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?;
                rustix::fs::unlink(&path)?;
                file
            }
            Err(errno) => return Err(errno.into()),
        };
        Ok(Self { file: File::from(file), read: 0, written: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.written - self.read + bytes.len() as u64 > SPOOL {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// `false`: all was read.
    fn read(&mut self, into: &mut VecDeque<u8>) -> io::Result<bool> {
        let length = MEMORY.min((self.written - self.read) as usize);
        let start = into.len();
        into.resize(start + length, 0);
        self.file.read_exact_at(&mut into.make_contiguous()[start..], self.read)?;
        self.read += length as u64;
        Ok(length > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_beyond_memory_come_back_in_order_from_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let mut backlog = Backlog::new(Rc::from(directory.path()));
        let byte = |at: usize| (at * 31 % 251) as u8;
        let all: Vec<u8> = (0..300_000).map(byte).collect();
        for piece in all.chunks(7_000) {
            let (a, b) = piece.split_at(piece.len() / 3);
            backlog.push([a, b]).unwrap();
        }
        assert!(backlog.spool.is_some());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the file has no name");
        let mut taken = Vec::new();
        let mut turn = 0;
        loop {
            // A client that takes a little, then nothing for a while.
            let drained = backlog.drain(|parts| {
                turn += 1;
                if turn % 5 == 0 {
                    return Err(Errno::AGAIN);
                }
                let piece = &parts[0][..parts[0].len().min(1_000)];
                taken.extend_from_slice(piece);
                Ok(piece.len())
            });
            match drained {
                Ok(()) => break,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(taken, all);
        assert!(backlog.is_empty());
    }
}
