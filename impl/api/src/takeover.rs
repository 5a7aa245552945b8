//! Handing a client's connection to a container: head first, then the socket itself goes to the shim.
//!
//! A connection whose bytes are not what goes over its descriptor (TLS) is joined to one end of a socket pair, and
//! the shim gets the other.

use std::{io, os::fd::OwnedFd, os::unix::net::UnixStream};

use bytes::Bytes;
use drydock_engine::ClientSocket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    call::Call,
    connection::{Hijacked, write_head},
};

/// The head of a hijacked connection in the version's words: 101 where the client asked for it and the version has
/// it, else 200 without framing.
pub(crate) fn head(call: &Call) -> &'static [u8] {
    let asked = !call.header("upgrade").is_empty();
    if asked && call.answers("upgraded") {
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    } else {
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
    }
}

/// Writes the head, and gives the socket for the shim. A second future, where there is one, carries the bytes.
pub(crate) async fn give(
    mut connection: Hijacked,
    head: &[u8],
) -> io::Result<(ClientSocket, Option<impl Future<Output = ()> + Send + use<>>)> {
    write_head(&mut connection, head).await?;
    let first = std::mem::take(&mut connection.first);
    match connection.socket.into_fd()? {
        Ok(fd) => Ok((ClientSocket { fd, first }, None)),
        Err(socket) => {
            let (fd, relay) = pair(Hijacked { first: Bytes::new(), socket })?;
            Ok((ClientSocket { fd, first }, Some(relay)))
        }
    }
}

/// Says the daemon's own words to a client whose head is out already.
pub(crate) async fn say(client: ClientSocket, words: &[u8]) -> io::Result<()> {
    // Only written to, so a TCP socket may pass for a unix one.
    let socket = UnixStream::from(client.fd);
    socket.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(socket)?.write_all(words).await
}

/// A descriptor that stands for `client`, and the future that carries bytes between them, each direction's end too.
fn pair<C: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
    client: C,
) -> io::Result<(OwnedFd, impl Future<Output = ()> + Send + use<C>)> {
    let (near, far) = UnixStream::pair()?;
    near.set_nonblocking(true)?;
    let near = tokio::net::UnixStream::from_std(near)?;
    let relay = async move {
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_shim, mut to_shim) = near.into_split();
        let inward = async {
            let _ = tokio::io::copy(&mut from_client, &mut to_shim).await;
            let _ = to_shim.shutdown().await;
            std::future::pending::<()>().await;
        };
        let outward = async {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match from_shim.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => {
                        if to_client.write_all(&buffer[..count]).await.is_err() || to_client.flush().await.is_err() {
                            break;
                        }
                    }
                }
            }
            let _ = to_client.shutdown().await;
        };
        // The container's end ends both: what a client still sends has no reader.
        tokio::select! {
            () = inward => {}
            () = outward => {}
        }
    };
    Ok((far.into(), relay))
}
