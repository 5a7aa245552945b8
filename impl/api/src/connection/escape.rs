//! What hyper reads, with the request line made acceptable to it.
//!
//! `http::Uri` refuses `"`, `<`, `>` and the backtick in a query, and the genuine daemons took them: people write
//! `?filters={"status":["exited"]}` by hand. These four are escaped in the request line, and only while no request is
//! in flight, so that no body is touched.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Slot, Socket};

pub(super) struct Escaping {
    inner: TokioIo<Socket>,
    slot: Slot,
    /// Escaped bytes that hyper has not asked for yet.
    ready: Vec<u8>,
}

impl Escaping {
    pub(super) fn new(inner: TokioIo<Socket>, slot: Slot) -> Self {
        Self { inner, slot, ready: Vec::new() }
    }

    /// The socket, and what was read and not handed on.
    pub(super) fn into_parts(self) -> (Socket, Vec<u8>) {
        (self.inner.into_inner(), self.ready)
    }

    /// Reads the beginning of a head and escapes its first line.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 8192];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(self.inner.inner_mut()).poll_read(cx, &mut buffer))?;
        let read = buffer.filled();
        let line = read.iter().position(|byte| *byte == b'\n').unwrap_or(read.len());
        for byte in &read[..line] {
            match byte {
                b'"' | b'<' | b'>' | b'`' => self.ready.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                byte => self.ready.push(*byte),
            }
        }
        self.ready.extend_from_slice(&read[line..]);
        if line < read.len() {
            self.slot.head_began();
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Read for Escaping {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ready.is_empty() {
            if !self.slot.in_head() {
                return Pin::new(&mut self.inner).poll_read(cx, buffer);
            }
            ready!(self.poll_line(cx))?;
        }
        let count = buffer.remaining().min(self.ready.len());
        buffer.put_slice(&self.ready[..count]);
        self.ready.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Escaping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.slot.set_flushed(false);
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.slot.set_flushed(false);
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        // hyper flushes only once its own buffer is empty.
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.slot.set_flushed(true);
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
