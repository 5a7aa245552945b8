//! `GET /containers/{container}/attach/ws`: the container's stdio over a websocket.
//!
//! Output comes in text frames whatever the bytes are, as Go's websocket library of the time sent them. A client that
//! closes ends the container's input as one that shuts its write side on a plain connection does.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use drydock_engine::{AttachFraming, ClientSocket};
use sha1::{Digest as _, Sha1};
use std::{io, os::unix::net::UnixStream as StdUnixStream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, WriteHalf},
    net::UnixStream,
    sync::Mutex,
};

use crate::{
    call::Call,
    connection::{
        Hijacked,
        websocket::{CLOSE, Decoder, Malformed, NORMAL, PONG, PROTOCOL_ERROR, Piece, TEXT, frame},
        write_head,
    },
    containers::attach,
    reply::{Answered, Reply},
};

/// Bytes of output in one message at most.
const MESSAGE: usize = 32 * 1024;

/// What a server appends to a client's key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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
    let accept = BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize());
    call.slot
        .hijack(move |connection| {
            Box::pin(async move {
                let Ok((near, far)) = StdUnixStream::pair() else { return };
                let takes_input = attachment.takes_input;
                let running = tokio::spawn(attachment.run(ClientSocket { fd: far.into(), first: bytes::Bytes::new() }));
                if let Err(error) = carry(connection, &accept, near, takes_input).await {
                    tracing::debug!(%error, "a websocket ended");
                }
                let _ = running.await;
            })
        })
        .await
}

/// Shakes hands, and carries bytes between the client and the shim's socket until the shim has no more.
async fn carry(mut connection: Hijacked, accept: &str, shim: StdUnixStream, takes_input: bool) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    write_head(&mut connection, head.as_bytes()).await?;
    let (mut from_client, to_client) = tokio::io::split(connection);
    // For output, and for what a client's own frames call for.
    let to_client = Mutex::new(to_client);
    shim.set_nonblocking(true)?;
    let (mut from_shim, mut to_shim) = UnixStream::from_std(shim)?.into_split();
    let inward = async {
        let mut decoder = Decoder::default();
        loop {
            match decoder.next() {
                // Input that nobody takes is read all the same: the client's close comes behind it.
                Ok(Some(Piece::Data(bytes))) if takes_input => to_shim.write_all(&bytes).await?,
                Ok(Some(Piece::Data(_))) => {}
                Ok(Some(Piece::Ping(payload))) => write(&to_client, PONG, &payload).await?,
                Ok(Some(Piece::Close)) if takes_input => break,
                Ok(Some(Piece::Close)) => return write(&to_client, CLOSE, &NORMAL.to_be_bytes()).await,
                Err(Malformed) => return write(&to_client, CLOSE, &PROTOCOL_ERROR.to_be_bytes()).await,
                // It left without a word.
                Ok(None) if from_client.read_buf(&mut decoder.buffer).await? == 0 => return Ok(()),
                Ok(None) => {}
            }
        }
        to_shim.shutdown().await?;
        // What the end of input means is the shim's to say: it lets the client go, or has output still.
        std::future::pending().await
    };
    let outward = async {
        let mut buffer = vec![0; MESSAGE];
        loop {
            let count = from_shim.read(&mut buffer).await?;
            if count == 0 {
                return write(&to_client, CLOSE, &NORMAL.to_be_bytes()).await;
            }
            write(&to_client, TEXT, &buffer[..count]).await?;
        }
    };
    tokio::select! {
        ended = inward => ended,
        ended = outward => ended,
    }
}

async fn write(client: &Mutex<WriteHalf<Hijacked>>, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let mut client = client.lock().await;
    client.write_all(&frame(opcode, payload)).await?;
    client.flush().await
}
