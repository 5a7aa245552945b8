//! Taking a connection away from hyper, and seeing a client leave.

use std::{
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::Socket;

type Continuation = Box<dyn FnOnce(Hijacked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What a connection's task and the handlers of its requests share.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<State>>);

struct State {
    /// Whether all that hyper wrote has left its buffers.
    flushed: bool,
    continuation: Option<Continuation>,
    /// Whether the next bytes belong to a request's head.
    in_head: bool,
    watch: OwnedFd,
}

/// Held while a request is answered: until it goes, what is read is not a head.
pub(crate) struct Busy(Slot);

impl Slot {
    pub(super) fn new(socket: &Socket) -> io::Result<Self> {
        let state = State { flushed: true, continuation: None, in_head: true, watch: socket.duplicate()? };
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection: `then` gets it once hyper has written all it had to. Never returns; the handler that
    /// waits here is dropped.
    pub(crate) async fn hijack<T>(
        &self,
        then: impl FnOnce(Hijacked) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + 'static,
    ) -> T {
        self.lock().continuation = Some(Box::new(then));
        std::future::pending().await
    }

    /// Resolves when the client closed the connection or its write side, as Go's `CloseNotify` did.
    pub(crate) async fn closed(&self) {
        let watch = self.lock().watch.try_clone();
        // Only asked for readiness, so a TCP socket may pass for a unix one.
        let watched = watch.map(std::os::unix::net::UnixStream::from).and_then(|stream| {
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
            // Clears the readiness without reading: the bytes are hyper's.
            let _ = watched.try_io(Interest::READABLE, || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) });
        }
    }

    pub(super) fn busy(&self) -> Busy {
        self.lock().in_head = false;
        Busy(self.clone())
    }

    pub(super) fn in_head(&self) -> bool {
        self.lock().in_head
    }

    pub(super) fn head_began(&self) {
        self.lock().in_head = false;
    }

    pub(super) fn set_flushed(&self, flushed: bool) {
        self.lock().flushed = flushed;
    }

    /// The continuation, once nothing is left in hyper's buffers.
    pub(super) fn taken(&self) -> Option<Continuation> {
        let mut state = self.lock();
        if state.flushed { state.continuation.take() } else { None }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().in_head = true;
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
