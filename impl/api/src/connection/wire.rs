//! A client's socket, what was read of it, and where in a request it stands. The connection's task and the body of
//! the request under way both hold it: a body is read where its reader is, and what it leaves is the task's.

use std::{
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{
    Socket,
    framing::{Framing, Step},
    head::{self, Head, Malformed},
    hijack::Continuation,
};

/// Bytes of a head that are read before it is refused, as Go's server had it.
pub(super) const HEAD_LIMIT: usize = (1 << 20) + 4096;

/// Bytes asked of the socket for a head and for a body.
const HEAD_READ: usize = 4096;
const BODY_READ: usize = 64 << 10;

/// Bytes of a body nobody wanted that are read away to keep the connection, as Go's server had it.
const LEFT_LIMIT: u64 = 256 << 10;

#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<State>>);

struct State {
    /// Nothing once the connection was taken over.
    socket: Option<Socket>,
    /// Read, and not yet taken.
    read: BytesMut,
    /// What is left of the body of the request under way.
    framing: Framing,
    /// What is still to be written before the client sends its body.
    interim: &'static [u8],
    /// Counts requests: the bodies of earlier ones are at their end.
    request: u64,
    /// Whether the body of the request under way may still be read by who was given it.
    held: bool,
    continuation: Option<Continuation>,
}

/// What a connection brings next.
pub(super) enum Arrived {
    Request(Box<Head>, Incoming),
    /// The client has left.
    Nothing,
}

/// Why the next request cannot be read. Nobody knows where another one would begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    #[error("a malformed request")]
    Malformed,
    #[error("a head that is too large")]
    TooLarge,
    #[error("the socket: {0}")]
    Io(#[from] io::Error),
}

impl From<Malformed> for Unread {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Its chunks are malformed.
    #[error("malformed chunked encoding")]
    Chunks,
    /// The client left before it had sent all.
    #[error("unexpected EOF")]
    Short,
    /// The socket failed.
    #[error("the socket: {0}")]
    Io(#[from] io::Error),
}

/// The body of a request, read from the socket as it is asked for.
pub(crate) struct Incoming {
    wire: Wire,
    request: u64,
}

impl Wire {
    pub(super) fn new(socket: Socket) -> Self {
        Self(Arc::new(Mutex::new(State {
            socket: Some(socket),
            read: BytesMut::new(),
            framing: Framing::Length(0),
            interim: b"",
            request: 0,
            held: false,
            continuation: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the next request's head. `searched` is how far the search for its end came.
    pub(super) fn poll_request(&self, cx: &mut Context<'_>, searched: &mut usize) -> Poll<Result<Arrived, Unread>> {
        let mut state = self.lock();
        loop {
            match head::end(&state.read, *searched) {
                // However much came at once: the answer is not to depend on that.
                Ok(end) if end > HEAD_LIMIT => return Poll::Ready(Err(Unread::TooLarge)),
                Ok(end) => {
                    let bytes = state.read.split_to(end);
                    let head = Box::new(Head::parse(&bytes)?);
                    let body = state.begin(&head, self);
                    return Poll::Ready(Ok(Arrived::Request(head, body)));
                }
                Err(_) if state.read.len() > HEAD_LIMIT => return Poll::Ready(Err(Unread::TooLarge)),
                Err(_) if *searched == 0 && !head::may_begin(&state.read) => {
                    return Poll::Ready(Err(Unread::Malformed));
                }
                Err(reached) => *searched = reached,
            }
            if ready!(state.poll_fill(cx, HEAD_READ))? == 0 {
                let left = state.read.is_empty();
                return Poll::Ready(if left { Ok(Arrived::Nothing) } else { Err(Unread::Malformed) });
            }
        }
    }

    /// What took the connection over, if anything did.
    pub(super) fn taken(&self) -> Option<Continuation> {
        self.lock().continuation.take()
    }

    pub(super) fn take(&self, then: Continuation) {
        self.lock().continuation = Some(then);
    }

    /// The socket, with what was read of it and belongs to no request. What else holds the wire finds it closed.
    pub(super) fn into_parts(self) -> io::Result<(Socket, Bytes)> {
        let mut state = self.lock();
        state.request += 1;
        let read = std::mem::take(&mut state.read).freeze();
        Ok((state.socket.take().ok_or(io::ErrorKind::NotConnected)?, read))
    }

    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.lock().socket()?.duplicate()
    }

    /// Whether who was given the body may still read it.
    pub(super) fn is_held(&self) -> bool {
        self.lock().held
    }

    /// Reads away what is left of the body, up to a bound: whether the connection can be kept. Who still holds the
    /// body is at its end.
    pub(super) fn poll_rest(&self, cx: &mut Context<'_>, skipped: &mut u64) -> Poll<bool> {
        let mut state = self.lock();
        state.request += u64::from(state.held);
        state.held = false;
        // Who was not told to go on sends nothing.
        if !state.interim.is_empty() && !state.framing.is_done() {
            return Poll::Ready(false);
        }
        while *skipped <= LEFT_LIMIT {
            match ready!(state.poll_body(cx)) {
                Some(Ok(piece)) => *skipped += piece.len() as u64,
                Some(Err(_)) => return Poll::Ready(false),
                None => return Poll::Ready(true),
            }
        }
        Poll::Ready(false)
    }

    /// Reads away a body whose length was told: it is none of the stream of who takes the connection over. Whether
    /// all of it came.
    pub(super) fn poll_told_body(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        while let Framing::Length(1..) = state.framing {
            if let Some(Err(_)) = ready!(state.poll_body(cx)) {
                return Poll::Ready(false);
            }
        }
        Poll::Ready(true)
    }

    /// Reads away what the client still sends: `false` at its end.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        state.read.clear();
        state.poll_fill(cx, BODY_READ).map(|read| read.is_ok_and(|count| count > 0))
    }
}

impl State {
    fn begin(&mut self, head: &Head, wire: &Wire) -> Incoming {
        self.request += 1;
        self.framing = head.framing;
        self.held = !self.framing.is_done();
        let told = head.manner.awaits_continue && !self.framing.is_done();
        self.interim = if told { b"HTTP/1.1 100 Continue\r\n\r\n" } else { b"" };
        Incoming { wire: wire.clone(), request: self.request }
    }

    fn socket(&mut self) -> io::Result<&mut Socket> {
        self.socket.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        let Self { socket: Some(socket), read, .. } = self else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        read.reserve(most);
        pin!(socket.read_buf(read)).poll(cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        while !self.interim.is_empty() {
            let interim = self.interim;
            let count = ready!(Pin::new(self.socket()?).poll_write(cx, interim))?;
            self.interim.advance(count);
        }
        loop {
            match self.framing.next(&mut self.read) {
                Ok(Step::Piece(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(_) => return Poll::Ready(Some(Err(Broken::Chunks))),
            }
            if ready!(self.poll_fill(cx, BODY_READ))? == 0 {
                return Poll::Ready(Some(Err(Broken::Short)));
            }
        }
    }
}

impl Incoming {
    /// Whether the request has no body, or none of it is left.
    pub(crate) fn is_end(&self) -> bool {
        let state = self.wire.lock();
        state.request != self.request || state.framing.is_done()
    }

    /// The next piece.
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut state = self.wire.lock();
        if state.request == self.request { state.poll_body(cx) } else { Poll::Ready(None) }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut state = self.wire.lock();
        if state.request == self.request {
            state.held = false;
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.lock().socket()?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.lock().socket()?).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.lock().socket.as_ref().is_some_and(Socket::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.lock().socket()?).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.lock().socket()?).poll_shutdown(cx)
    }
}
