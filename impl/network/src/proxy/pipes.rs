//! Pipes that bytes wait in between two sockets.

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Bytes of a pipe, where the kernel grants them.
const SIZE: usize = 256 << 10;
/// Empty pipes that are kept for the next who needs one.
const SPARE: usize = 16;

/// Empty pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes(Vec<Pipe>);

/// A pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    /// Bytes in it.
    len: usize,
}

impl Pipes {
    pub(super) fn take(&mut self) -> io::Result<Pipe> {
        if let Some(pipe) = self.0.pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // Above the user's share the kernel refuses; a small pipe does as well, only slower.
        let _ = fcntl_setpipe_size(&write, SIZE);
        Ok(Pipe { read, write, len: 0 })
    }

    /// One that still holds bytes is closed.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        if pipe.len == 0 && self.0.len() < SPARE {
            self.0.push(pipe);
        }
    }
}

impl Pipe {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes bytes from a socket: how many, 0 at its end.
    pub(super) fn fill(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let moved = splice(socket, None, &self.write, None, SIZE, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?;
        self.len += moved;
        Ok(moved)
    }

    /// Gives bytes to a socket: how many.
    pub(super) fn drain(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let moved = splice(&self.read, None, socket, None, self.len, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?;
        self.len -= moved;
        Ok(moved)
    }
}
