//! Taking a connection over, and seeing a client leave.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::{Socket, wire::Wire};

pub(super) type Continuation = Box<dyn FnOnce(Hijacked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A handler's hold of the connection that its request came on.
#[derive(Clone)]
pub(crate) struct Slot(Wire);

impl Slot {
    pub(super) fn new(wire: Wire) -> Self {
        Self(wire)
    }

    /// Takes the connection: `then` gets it in place of an answer. Never returns; the handler that waits here is
    /// dropped.
    pub(crate) async fn hijack<T>(
        &self,
        then: impl FnOnce(Hijacked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    ) -> T {
        self.0.take(Box::new(then));
        std::future::pending().await
    }

    /// Resolves when the client closed the connection or its write side, as Go's `CloseNotify` did.
    pub(crate) async fn closed(&self) {
        // Only asked for readiness, so a TCP socket may pass for a unix one.
        let watched = self.0.duplicate().map(std::os::unix::net::UnixStream::from).and_then(|stream| {
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        });
        let Ok(watched) = watched else { return std::future::pending().await };
        loop {
            match watched.ready(Interest::READABLE).await {
                Ok(ready) if ready.is_read_closed() => return,
                Ok(_) => {}
                Err(_) => return,
            }
            // Clears the readiness without reading: the bytes are the connection's.
            let _ = watched.try_io(Interest::READABLE, || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) });
        }
    }
}

/// A connection that was taken over. What had been read of it already comes first.
pub(crate) struct Hijacked {
    /// Bytes that came with the head.
    pub(crate) first: Bytes,
    /// The socket.
    pub(crate) socket: Socket,
}

impl AsyncRead for Hijacked {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.socket).poll_read(cx, buffer);
        }
        let count = buffer.remaining().min(self.first.len());
        buffer.put_slice(&self.first[..count]);
        self.first.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Hijacked {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
