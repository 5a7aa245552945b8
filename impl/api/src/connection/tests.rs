//! Whole connections over a socket pair.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use hyper::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::*;
use crate::body::{self, Body};

/// Answers by path: `/read` reads the body and tells it, `/stream` sends two chunks, `/take` takes the connection
/// over, all else is `OK` without a look at the body.
async fn answer(request: Request, slot: Slot) -> Response {
    let body = match request.path.as_str() {
        "/read" => body::read(&request.body).await.map_or_else(|_| Body::whole("broken"), Body::whole),
        "/stream" => Body::stream(stream::iter(["one", "two"].map(|piece| Ok(Bytes::from(piece))))),
        "/broken" => Body::stream(stream::iter([Ok(Bytes::from("one")), Err(io::ErrorKind::BrokenPipe.into())])),
        "/long" => Body::whole(vec![b'x'; 40_000]),
        "/take" => {
            slot.hijack(|mut connection| {
                Box::pin(async move {
                    write_head(&mut connection, b"taken: ").await.unwrap();
                    let mut all = Vec::new();
                    connection.read_to_end(&mut all).await.unwrap();
                    connection.write_all(&all).await.unwrap();
                })
            })
            .await
        }
        _ => Body::whole("OK"),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
    Response { status: StatusCode::OK, headers, guessed_type: None, body, closes: request.path == "/last" }
}

fn refuse(what: NoRequest) -> StatusCode {
    match what {
        NoRequest::Malformed => StatusCode::BAD_REQUEST,
        NoRequest::HeadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

fn connect() -> UnixStream {
    let (client, server) = UnixStream::pair().unwrap();
    tokio::spawn(serve(Socket::Unix(server), answer, refuse));
    client
}

/// Everything that comes of `sent` until the connection ends; dates are struck.
async fn told(sent: &[u8]) -> String {
    let mut client = connect();
    client.write_all(sent).await.unwrap();
    client.shutdown().await.unwrap();
    rest(&mut client).await
}

async fn rest(client: &mut UnixStream) -> String {
    let mut all = Vec::new();
    timeout(Duration::from_secs(60), client.read_to_end(&mut all)).await.expect("the connection ends").unwrap();
    without_dates(&all)
}

/// What comes until `end` has come.
async fn until(client: &mut UnixStream, end: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).ends_with(end) {
        let byte = timeout(Duration::from_secs(60), client.read_u8()).await.expect("an answer");
        all.push(byte.unwrap());
    }
    without_dates(&all)
}

fn without_dates(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_inclusive('\n').filter(|line| !line.starts_with("Date: ")).collect()
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nOK";
const LAST: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK";

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_turn() {
    let two = "GET / HTTP/1.1\r\nHost: /var/run/docker.sock\r\n\r\nPOST /read HTTP/1.1\r\nContent-Length: 2\r\n\r\nOK";
    assert_eq!(told([two, two].concat().as_bytes()).await, OK.repeat(4));
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let mut client = connect();
    for byte in b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nO\r\n1\r\nK\r\n0\r\n\r\n" {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(until(&mut client, "\r\n\r\nOK").await, OK);
}

#[tokio::test]
async fn an_answer_says_that_the_connection_ends() {
    for sent in [
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "GET /last HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n",
    ] {
        assert_eq!(told(sent.as_bytes()).await, LAST, "{sent:?}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_skipped_up_to_a_bound() {
    let post = |length: usize| {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
        [head.as_bytes(), &vec![b'b'; length], b"GET / HTTP/1.1\r\n\r\n"].concat()
    };
    assert_eq!(told(&post(100_000)).await, OK.repeat(2));
    let mut client = connect();
    let large = post(1_000_000);
    let (mut from, mut to) = client.split();
    let send = async {
        // The rest of it may find nobody.
        let _ = to.write_all(&large).await;
        let _ = to.shutdown().await;
    };
    let mut all = Vec::new();
    let (_, read) = tokio::join!(send, from.read_to_end(&mut all));
    read.unwrap();
    assert_eq!(without_dates(&all), LAST);
}

#[tokio::test]
async fn what_is_no_request_is_told_so_and_the_connection_ends() {
    for sent in ["HELLO\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HT"] {
        assert_eq!(told(sent.as_bytes()).await, "HTTP/1.1 400 Bad Request\r\n\r\n", "{sent:?}");
    }
    let mut large = b"GET / HTTP/1.1\r\nX: ".to_vec();
    large.resize(wire::HEAD_LIMIT + 1, b'x');
    for end in ["", "\r\n\r\n"] {
        large.extend_from_slice(end.as_bytes());
        assert_eq!(told(&large).await, "HTTP/1.1 413 Request Entity Too Large\r\n\r\n", "{end:?}");
    }
    assert_eq!(told(b"").await, "");
}

#[tokio::test]
async fn a_line_that_begins_no_request_is_refused_before_the_rest_comes() {
    let mut client = connect();
    client.write_all(b"\x16\x03\x01\x02\n").await.unwrap();
    assert_eq!(rest(&mut client).await, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let mut client = connect();
    client.write_all(b"POST /read HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n").await.unwrap();
    assert_eq!(until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"OK").await.unwrap();
    assert_eq!(until(&mut client, "\r\n\r\nOK").await, OK);
}

#[tokio::test]
async fn pieces_are_chunks_where_the_client_knows_them() {
    let head = "Content-Type: application/json\r\n";
    let modern = told(b"GET /stream HTTP/1.1\r\n\r\n").await;
    assert_eq!(
        modern,
        format!("HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    );
    let old = told(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(old, format!("HTTP/1.0 200 OK\r\n{head}\r\nonetwo"));
    let long = told(b"GET /long HTTP/1.1\r\n\r\n").await;
    assert!(long.ends_with(&format!("9c40\r\n{}\r\n0\r\n\r\n", "x".repeat(40_000))));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_whole_one() {
    let told = told(b"GET /broken HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    assert!(told.ends_with("3\r\none\r\n"), "{told}");
}

#[tokio::test]
async fn an_old_client_stays_where_it_asks_and_knows_the_length() {
    let asks = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let kept =
        "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nOK";
    let last = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nOK";
    let sent = format!("{asks}{asks}GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert_eq!(told(sent.as_bytes()).await, format!("{kept}{kept}{last}"));
}

#[tokio::test]
async fn a_head_alone_is_answered_with_a_head_alone() {
    let head = OK.strip_suffix("OK").unwrap();
    assert_eq!(told(b"HEAD / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n").await, head.repeat(2));
}

#[tokio::test]
async fn who_takes_a_connection_over_gets_what_came_with_the_head() {
    assert_eq!(told(b"POST /take HTTP/1.1\r\n\r\nand stdin").await, "taken: and stdin");
    let sent = "GET / HTTP/1.1\r\n\r\nPOST /take HTTP/1.1\r\n\r\nand stdin";
    assert_eq!(told(sent.as_bytes()).await, format!("{OK}taken: and stdin"));
    // A body is none of the stream, wherever it ends.
    let sent = "POST /take HTTP/1.1\r\nContent-Length: 6\r\n\r\n{body}and stdin";
    assert_eq!(told(sent.as_bytes()).await, "taken: and stdin");
    let mut client = connect();
    client.write_all(b"POST /take HTTP/1.1\r\nContent-Length: 6\r\n\r\n{bo").await.unwrap();
    client.write_all(b"dy}and stdin").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, "taken: and stdin");
}
