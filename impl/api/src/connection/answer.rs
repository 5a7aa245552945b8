//! Writing an answer, as Go's server wrote it: what a handler said in the order of names, then date, length, a
//! content type that was guessed, and what becomes of the connection.

use std::{cell::RefCell, fmt::Write as _, io};

use bytes::{Buf, Bytes};
use drydock_core::Timestamp;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONNECTION, HeaderName, HeaderValue},
};
use tokio::io::AsyncWriteExt;

use super::{head::Manner, wire::Wire};
use crate::body::{Body, Length};

/// What a request is answered.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The content type that a genuine daemon left its server to guess.
    pub(crate) guessed_type: Option<&'static str>,
    pub(crate) body: Body,
    /// Whether the connection ends with it.
    pub(crate) closes: bool,
}

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// There is none.
    Absent,
    Length(u64),
    Chunks,
    /// By the end of the connection.
    End,
}

/// Bytes up to which a piece is written together with what is around it.
const TOGETHER: usize = 16 << 10;

/// Writes an answer: whether the connection goes on. `keep` says whether it could.
pub(super) async fn write(wire: &mut Wire, response: Response, manner: Manner, keep: bool) -> io::Result<bool> {
    let Response { status, headers, guessed_type, mut body, closes } = response;
    let bodiless = matches!(status.as_u16(), 100..200 | 204 | 304);
    let frame = match body.length() {
        _ if bodiless => Frame::Absent,
        Length::Known(length) => Frame::Length(length),
        Length::Unknown if manner.modern => Frame::Chunks,
        Length::Unknown => Frame::End,
    };
    // A client of HTTP/1.0 that wants to stay has to be told the length.
    let asked = if manner.modern { !manner.otherwise } else { manner.otherwise };
    let told = manner.modern || manner.head_only || matches!(frame, Frame::Length(_));
    let said_close = headers.get(CONNECTION).is_some_and(|said| said.as_bytes().eq_ignore_ascii_case(b"close"));
    let keep = keep && !closes && asked && told && frame != Frame::End && !said_close;

    let mut out = Vec::with_capacity(512);
    start(&mut out, status, manner.modern);
    fields(&mut out, &headers);
    field(&mut out, "Date", date().as_ref());
    if let Frame::Length(length) = frame {
        field(&mut out, "Content-Length", length.to_string().as_bytes());
    }
    if let Some(guessed) = guessed_type.filter(|_| !bodiless) {
        field(&mut out, "Content-Type", guessed.as_bytes());
    }
    match keep {
        true if !manner.modern => field(&mut out, "Connection", b"keep-alive"),
        false if manner.modern && !said_close => field(&mut out, "Connection", b"close"),
        _ => {}
    }
    if frame == Frame::Chunks {
        field(&mut out, "Transfer-Encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");

    if manner.head_only || frame == Frame::Absent {
        body = Body::empty();
    }
    send(wire, out, body, frame == Frame::Chunks && !manner.head_only).await?;
    Ok(keep)
}

/// Writes a head without fields: what there is to say to what was no request.
pub(super) async fn refuse(wire: &mut Wire, status: StatusCode) -> io::Result<()> {
    let mut out = Vec::new();
    start(&mut out, status, true);
    out.extend_from_slice(b"\r\n");
    wire.write_all(&out).await?;
    wire.flush().await
}

fn start(out: &mut Vec<u8>, status: StatusCode, modern: bool) {
    // The phrase has another name today.
    let reason = if status == StatusCode::PAYLOAD_TOO_LARGE { "Request Entity Too Large" } else { reason(status) };
    out.extend_from_slice(if modern { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("status code")
}

fn fields(out: &mut Vec<u8>, headers: &HeaderMap) {
    let mut sorted: Vec<(&HeaderName, &HeaderValue)> = headers.iter().collect();
    sorted.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in sorted {
        let mut first = true;
        for byte in name.as_str().bytes() {
            out.push(if first { byte.to_ascii_uppercase() } else { byte });
            first = byte == b'-';
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The time as a header has it, written once a second.
fn date() -> impl AsRef<[u8]> {
    thread_local! {
        static LAST: RefCell<(i64, Bytes)> = const { RefCell::new((i64::MIN, Bytes::new())) };
    }
    let now = Timestamp::now();
    LAST.with_borrow_mut(|(second, text)| {
        if *second != now.unix_seconds() {
            (*second, *text) = (now.unix_seconds(), now.http_date().into());
        }
        text.clone()
    })
}

/// Writes a body behind `out`. A head goes out with the first piece where that is there already, and waits for none.
async fn send(wire: &mut Wire, mut out: Vec<u8>, mut body: Body, chunks: bool) -> io::Result<()> {
    let mut piece = body.ready().await;
    loop {
        let content = piece.transpose()?.unwrap_or_default();
        if chunks && !content.is_empty() {
            let mut size = String::with_capacity(18);
            let _ = write!(size, "{:x}\r\n", content.len());
            out.extend_from_slice(size.as_bytes());
        }
        let behind: &[u8] = match (content.is_empty(), body.is_end()) {
            _ if !chunks => b"",
            (false, false) => b"\r\n",
            (false, true) => b"\r\n0\r\n\r\n",
            (true, false) => b"",
            (true, true) => b"0\r\n\r\n",
        };
        if content.len() <= TOGETHER {
            out.extend_from_slice(&content);
            out.extend_from_slice(behind);
            wire.write_all(&out).await?;
        } else {
            wire.write_all_buf(&mut (&out[..]).chain(content).chain(behind)).await?;
        }
        wire.flush().await?;
        if body.is_end() {
            return Ok(());
        }
        out.clear();
        piece = body.next().await;
    }
}
