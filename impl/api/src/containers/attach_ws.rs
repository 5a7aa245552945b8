//! `GET /containers/{container}/attach/ws`: the container's stdio over a websocket.
//!
//! Output comes in text frames whatever the bytes are, as Go's websocket library of the time sent them.

use drydock_engine::{AttachFraming, ClientSocket};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{
            CloseFrame, Role,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::{
    call::Call,
    connection::{Hijacked, write_head},
    containers::attach,
    reply::{Answered, Reply},
};

/// Bytes of output in one message at most.
const MESSAGE: usize = 32 * 1024;

pub(crate) async fn handle(call: Call) -> Answered {
    let attachment = call
        .api
        .0
        .engine
        .attach(attach::command(&call, AttachFraming::Raw))
        .await
        .map_err(|error| call.refuse(error))?;
    let key = call.header("sec-websocket-key").to_owned();
    if !call.header("upgrade").eq_ignore_ascii_case("websocket") || key.is_empty() {
        return Ok(Reply::new("not-websocket"));
    }
    if call.header("origin").is_empty() || call.header("sec-websocket-version") != "13" {
        return Ok(Reply::new("origin-or-version-refused"));
    }
    let accept = derive_accept_key(key.as_bytes());
    call.slot
        .hijack(move |connection| {
            Box::pin(async move {
                let Ok((near, far)) = std::os::unix::net::UnixStream::pair() else { return };
                let running = tokio::spawn(attachment.run(ClientSocket { fd: far.into(), first: bytes::Bytes::new() }));
                if let Err(error) = carry(connection, &accept, near).await {
                    tracing::debug!(%error, "a websocket ended");
                }
                let _ = running.await;
            })
        })
        .await
}

/// Shakes hands, and carries bytes between the client and the shim's socket until either ends.
async fn carry(
    mut connection: Hijacked,
    accept: &str,
    shim: std::os::unix::net::UnixStream,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    write_head(&mut connection, head.as_bytes()).await?;
    let first = std::mem::take(&mut connection.first);
    let client = WebSocketStream::from_partially_read(connection, first.to_vec(), Role::Server, None).await;
    let (mut to_client, mut from_client) = client.split();
    shim.set_nonblocking(true)?;
    let (mut from_shim, mut to_shim) = tokio::net::UnixStream::from_std(shim)?.into_split();
    let inward = async {
        while let Some(Ok(message)) = from_client.next().await {
            let bytes = match message {
                Message::Text(text) => bytes::Bytes::from(text),
                Message::Binary(bytes) => bytes,
                Message::Close(_) => break,
                _ => continue,
            };
            if to_shim.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // A client that closed has nothing more to say, and hears nothing more.
    };
    let outward = async {
        let mut buffer = vec![0; MESSAGE];
        loop {
            let count = from_shim.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            let frame = Frame::message(buffer[..count].to_vec(), OpCode::Data(Data::Text), true);
            to_client.send(Message::Frame(frame)).await?;
        }
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        to_client.send(Message::Close(Some(close))).await?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    };
    tokio::select! {
        () = inward => Ok(()),
        ended = outward => ended,
    }
}
