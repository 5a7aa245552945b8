//! The socket of a client, whichever kind.

use std::{
    io,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::server::TlsStream;

/// A client's socket.
#[derive(Debug)]
pub(crate) enum Socket {
    /// A unix socket.
    Unix(UnixStream),
    /// TCP in the clear.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// A descriptor of the same socket, to see when its client leaves.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        use std::os::fd::AsFd;
        match self {
            Socket::Unix(stream) => stream.as_fd().try_clone_to_owned(),
            Socket::Tcp(stream) => stream.as_fd().try_clone_to_owned(),
            Socket::Tls(stream) => stream.get_ref().0.as_fd().try_clone_to_owned(),
        }
    }

    /// The descriptor itself, for another process; itself back where its bytes are not what goes over it.
    pub(crate) fn into_fd(self) -> io::Result<Result<OwnedFd, Self>> {
        match self {
            Socket::Unix(stream) => stream.into_std().map(|stream| Ok(stream.into())),
            Socket::Tcp(stream) => stream.into_std().map(|stream| Ok(stream.into())),
            tls @ Socket::Tls(_) => Ok(Err(tls)),
        }
    }
}

macro_rules! each {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket.get_mut() {
            Socket::Unix($stream) => $call,
            Socket::Tcp($stream) => $call,
            Socket::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match each!(self, stream => Pin::new(stream).poll_read(cx, buffer)) {
            // Old clients end TLS without a word: that is an end like another.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => read,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Socket::Unix(stream) => stream.is_write_vectored(),
            Socket::Tcp(stream) => stream.is_write_vectored(),
            Socket::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
