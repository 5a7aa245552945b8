//! Where clients connect.

use std::io;

use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use super::Socket;

/// A bound address.
pub enum Listener {
    /// A unix socket.
    Unix(UnixListener),
    /// TCP in the clear.
    Tcp(TcpListener),
    /// TLS over TCP.
    Tls(TcpListener, TlsAcceptor),
}

/// A client that connected. With TLS its handshake is still to come, so that a silent one holds nobody up.
pub(crate) enum Arrival {
    Ready(Socket),
    Handshake(Box<tokio_rustls::Accept<tokio::net::TcpStream>>),
}

impl Listener {
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        let plain = |stream: tokio::net::TcpStream| {
            // Answers are written whole: waiting for more only delays them.
            stream.set_nodelay(true)?;
            Ok::<_, io::Error>(stream)
        };
        Ok(match self {
            Listener::Unix(listener) => Arrival::Ready(Socket::Unix(listener.accept().await?.0)),
            Listener::Tcp(listener) => Arrival::Ready(Socket::Tcp(plain(listener.accept().await?.0)?)),
            Listener::Tls(listener, acceptor) => {
                Arrival::Handshake(Box::new(acceptor.accept(plain(listener.accept().await?.0)?)))
            }
        })
    }
}

impl Arrival {
    pub(crate) async fn socket(self) -> io::Result<Socket> {
        match self {
            Arrival::Ready(socket) => Ok(socket),
            Arrival::Handshake(handshake) => Ok(Socket::Tls(Box::new((*handshake).await?))),
        }
    }
}
