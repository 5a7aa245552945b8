//! Bytes between a client and a container.

use bytes::Bytes;
use std::io;
use std::os::fd::OwnedFd;
use tokio::sync::mpsc;

/// How bytes of a container's output are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As a terminal gives them.
    Raw,
    /// Frames: 1 byte stream (1 stdout, 2 stderr), 3 zero bytes, 4 bytes length (big endian), payload.
    Multiplexed,
}

/// A client's connection after its head was written: it goes to the container's shim, which reads and writes it
/// itself.
#[derive(Debug)]
pub struct ClientSocket {
    /// The socket; blocking or not, the shim sets what it needs.
    pub fd: OwnedFd,
    /// Bytes that came with the head: stdin's first.
    pub first: Bytes,
}

/// Bytes made on another thread: an archive, a log. Bounded: a reader that is slow holds the maker up, and one that
/// leaves ends it.
#[derive(Debug)]
pub struct ByteStream(pub(crate) mpsc::Receiver<io::Result<Bytes>>);

impl ByteStream {
    /// The next piece, of any size; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.0.recv().await
    }

    /// As [`Self::next`], for a body that is polled.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<io::Result<Bytes>>> {
        self.0.poll_recv(cx)
    }
}
