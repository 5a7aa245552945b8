//! Bytes between a client and a container.

use bytes::{Bytes, BytesMut};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
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
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.0.poll_recv(cx)
    }
}

/// Size of a piece. Large enough that handing it over costs little beside writing it to a socket.
pub(crate) const PIECE: usize = 64 << 10;

/// Pieces on their way: with the one being filled they bound what a slow reader costs, 320 KB.
pub(crate) const QUEUE: usize = 4;

/// A stream of what `work` writes on a thread that may block. An error of `work` ends the stream.
///
/// # Panics
/// Outside a tokio runtime.
pub fn written(work: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> ByteStream {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let mut pieces = Pieces { sender, piece: BytesMut::with_capacity(PIECE) };
        match work(&mut pieces).and_then(|()| pieces.flush()) {
            // The reader left: nobody wants to know.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => drop(pieces.sender.blocking_send(Err(error))),
            Ok(()) => {}
        }
    });
    ByteStream(receiver)
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE)).freeze();
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_comes_out_whole_and_an_error_ends_it() {
        let mut stream = written(|to| {
            to.write_all(&vec![7; 3 * PIECE + 5])?;
            to.flush()?;
            Err(io::Error::other("enough"))
        });
        let mut count = 0;
        let error = loop {
            match stream.next().await.unwrap() {
                Ok(piece) => count += piece.len(),
                Err(error) => break error,
            }
        };
        assert_eq!(count, 3 * PIECE + 5);
        assert_eq!(error.to_string(), "enough");
        assert!(stream.next().await.is_none());
    }
}
