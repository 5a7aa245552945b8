//! Reads an HTTP/1 answer as its bytes arrive, whatever they are.
//!
//! [`Reader`] is fed what comes from the socket and knows when the answer is complete. It never fails on the way:
//! what is wrong with the bytes is part of the result.

use super::{
    response::{Content, End, Interim, NoAnswer, Response},
    websocket,
};

/// A head longer than this is no head.
const HEAD_LIMIT: usize = 1 << 20;
/// A chunk's size line longer than this is none.
const CHUNK_LINE_LIMIT: usize = 256;

/// Reads one answer.
pub(crate) struct Reader {
    /// What came and is not yet read.
    pending: Vec<u8>,
    state: State,
    interim: Vec<Interim>,
    head: Option<Head>,
    body: Vec<u8>,
    chunks: Vec<usize>,
    /// The most bytes of body to keep.
    limit: usize,
    /// The request was HEAD: no body follows whatever the head says.
    headless: bool,
}

struct Head {
    proto: String,
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length { left: u64 },
    ChunkLine,
    Chunk { left: usize },
    ChunkEnd,
    Trailers,
    UntilEof,
    Done(End),
    NoHttp,
}

impl Reader {
    /// For the answer to a request of this method, whose body is cut at `limit` bytes.
    pub(crate) fn new(method: &str, limit: usize) -> Self {
        Self {
            pending: Vec::new(),
            state: State::Head,
            interim: Vec::new(),
            head: None,
            body: Vec::new(),
            chunks: Vec::new(),
            limit,
            headless: method == "HEAD",
        }
    }

    /// Takes what came.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while self.step() {}
    }

    /// Whether nothing more is to come.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_) | State::NoHttp)
    }

    /// Whether the final head is there.
    pub(crate) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// The body so far, transfer coding removed.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The answer, as far as it came before `end`: [`End::Eof`] or [`End::Timeout`].
    pub(crate) fn finish(self, end: End) -> Result<Response, NoAnswer> {
        let Some(head) = self.head else {
            return Err(match (self.state, end, self.pending.is_empty()) {
                (State::Head, End::Timeout, _) => NoAnswer::Timeout,
                (State::Head, _, true) => NoAnswer::Closed,
                _ => NoAnswer::Malformed(excerpt(&self.pending)),
            });
        };
        let end = match (self.state, end) {
            (State::Done(end), _) => end,
            (_, End::Timeout) => End::Timeout,
            (State::UntilEof, end) => end,
            _ => End::Short,
        };
        let websocket = head.status == 101
            && head.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Accept"));
        let content = match websocket {
            true => Content::Messages(websocket::decode(&self.body)),
            false => Content::Bytes(self.body),
        };
        Ok(Response {
            interim: self.interim,
            proto: head.proto,
            status: head.status,
            reason: head.reason,
            headers: head.headers,
            content,
            chunks: self.chunks,
            end,
        })
    }

    /// One step through what is pending; false when more must come first.
    fn step(&mut self) -> bool {
        match self.state {
            State::Done(_) | State::NoHttp => false,
            State::Head => self.read_head(),
            State::UntilEof => {
                let all = self.pending.len();
                self.keep(all);
                false
            }
            State::Length { left } => {
                let take = self.pending.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.keep(take);
                if self.is_done() {
                    return false;
                }
                let left = left - take as u64;
                self.state = if left == 0 { State::Done(End::Length) } else { State::Length { left } };
                false
            }
            State::ChunkLine => self.read_chunk_line(),
            State::Chunk { left } => {
                let take = self.pending.len().min(left);
                self.keep(take);
                if self.is_done() {
                    return false;
                }
                self.state = if take == left { State::ChunkEnd } else { State::Chunk { left: left - take } };
                take == left
            }
            State::ChunkEnd => match self.take_line(2) {
                Line::Whole(line) if line.is_empty() => {
                    self.state = State::ChunkLine;
                    true
                }
                Line::Partial => false,
                _ => self.end(End::BadChunk),
            },
            State::Trailers => match self.take_line(HEAD_LIMIT) {
                Line::Whole(line) if line.is_empty() => self.end(End::Chunked),
                Line::Whole(_) => true,
                Line::Partial => false,
                Line::TooLong => self.end(End::BadChunk),
            },
        }
    }

    fn end(&mut self, end: End) -> bool {
        self.state = State::Done(end);
        false
    }

    /// Moves bytes to the body, as many as may be kept.
    fn keep(&mut self, count: usize) {
        let room = self.limit.saturating_sub(self.body.len());
        self.body.extend(self.pending.drain(..count.min(room)));
        if count > room {
            self.state = State::Done(End::TooLong);
        }
    }

    fn read_chunk_line(&mut self) -> bool {
        match self.take_line(CHUNK_LINE_LIMIT) {
            Line::Partial => false,
            Line::TooLong => self.end(End::BadChunk),
            Line::Whole(line) => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                match std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok()) {
                    Some(0) => self.state = State::Trailers,
                    Some(left) => {
                        self.chunks.push(left);
                        self.state = State::Chunk { left };
                    }
                    None => return self.end(End::BadChunk),
                }
                true
            }
        }
    }

    /// Takes a line without its end; lines may end in LF alone.
    fn take_line(&mut self, limit: usize) -> Line {
        match self.pending.iter().take(limit).position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Line::Whole(line)
            }
            None if self.pending.len() >= limit => Line::TooLong,
            None => Line::Partial,
        }
    }

    fn read_head(&mut self) -> bool {
        let Some(end) = head_end(&self.pending) else {
            // What does not begin as an answer need not be waited for.
            let beginning = &self.pending[..self.pending.len().min(5)];
            if !b"HTTP/".starts_with(beginning) || self.pending.len() > HEAD_LIMIT {
                self.state = State::NoHttp;
            }
            return false;
        };
        let Some(head) = parse_head(&self.pending[..end]) else {
            self.state = State::NoHttp;
            return false;
        };
        self.pending.drain(..end);
        if (100..200).contains(&head.status) && head.status != 101 {
            self.interim.push(Interim { status: head.status, reason: head.reason, headers: head.headers });
            return true;
        }
        self.state = self.after(&head);
        self.head = Some(head);
        !self.is_done()
    }

    /// How the body after `head` is delimited.
    fn after(&self, head: &Head) -> State {
        let header =
            |name: &str| head.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        if head.status == 101 {
            return State::UntilEof;
        }
        if self.headless || matches!(head.status, 204 | 304) {
            return State::Done(End::Length);
        }
        if header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return State::ChunkLine;
        }
        match header("Content-Length").and_then(|length| length.trim().parse().ok()) {
            Some(0) => State::Done(End::Length),
            Some(left) => State::Length { left },
            None => State::UntilEof,
        }
    }
}

enum Line {
    Whole(Vec<u8>),
    Partial,
    TooLong,
}

/// Removes the chunked transfer coding, as far as it goes; gives the lengths of the chunks too.
pub(crate) fn unchunk(bytes: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let mut reader = Reader::new("GET", bytes.len());
    reader.state = State::ChunkLine;
    reader.feed(bytes);
    (reader.body, reader.chunks)
}

/// Where the head ends: behind its empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            if matches!(&bytes[line_start..index], b"" | b"\r") {
                return Some(index + 1);
            }
            line_start = index + 1;
        }
    }
    None
}

fn parse_head(bytes: &[u8]) -> Option<Head> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let mut words = lines.next()?.splitn(3, ' ');
    let proto = words.next()?;
    if !proto.starts_with("HTTP/") {
        return None;
    }
    let status = words.next()?.parse().ok().filter(|status| (100..1000).contains(status))?;
    let reason = words.next().unwrap_or_default().to_owned();
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    Some(Head { proto: proto.to_owned(), status, reason, headers })
}

fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(120)];
    format!("{:?}{}", String::from_utf8_lossy(shown), if bytes.len() > shown.len() { " …" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], end: End) -> Result<Response, NoAnswer> {
        let mut reader = Reader::new("GET", 1000);
        reader.feed(bytes);
        reader.finish(end)
    }

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n4\r\nab\r\n\r\n3;x=1\r\nccc\r\n0\r\nT: v\r\n\r\n";

    #[test]
    fn chunks_keep_their_boundaries_under_every_cut() {
        for cut in 0..CHUNKED.len() {
            let mut reader = Reader::new("GET", 1000);
            reader.feed(&CHUNKED[..cut]);
            reader.feed(&CHUNKED[cut..]);
            assert!(reader.is_done());
            let response = reader.finish(End::Eof).unwrap();
            assert_eq!(
                (response.text().as_ref(), &response.chunks[..], response.end),
                ("ab\r\nccc", &[4, 3][..], End::Chunked)
            );
        }
    }

    #[test]
    fn an_answer_that_stops_in_the_middle_is_short() {
        for cut in CHUNKED.len() - 20..CHUNKED.len() {
            assert_eq!(read(&CHUNKED[..cut], End::Eof).unwrap().end, End::Short, "{cut}");
        }
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", End::Eof).unwrap().end, End::Short);
    }

    #[test]
    fn without_a_length_the_connection_ends_the_answer() {
        let response = read(b"HTTP/1.0 200 OK\n\nab\xffc", End::Eof).unwrap();
        assert_eq!((response.text().as_ref(), response.end), ("ab\u{fffd}c", End::Eof));
    }

    #[test]
    fn an_endless_body_is_cut_at_the_limit() {
        let mut reader = Reader::new("GET", 10);
        reader.feed(b"HTTP/1.1 200 OK\r\n\r\n");
        reader.feed(&[b'x'; 11]);
        assert!(reader.is_done());
        let response = reader.finish(End::Eof).unwrap();
        assert_eq!((response.end, response.text().len()), (End::TooLong, 10));
    }

    #[test]
    fn what_is_no_http_is_shown() {
        assert!(matches!(read(b"\x15\x03\x01\x00\x02\x02\x0a", End::Eof), Err(NoAnswer::Malformed(_))));
        assert!(matches!(read(b"HTTP/1.1 abc OK\r\n\r\n", End::Eof), Err(NoAnswer::Malformed(_))));
        assert_eq!(read(b"", End::Eof), Err(NoAnswer::Closed));
        assert_eq!(read(b"HTTP/1.1 2", End::Timeout), Err(NoAnswer::Timeout));
    }

    #[test]
    fn wrong_chunk_headers_end_the_answer() {
        for body in ["zz\r\n", "-1\r\n", "3\r\nabcd\r\n", "ffffffffffffffffff\r\n"] {
            let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
            assert_eq!(read(bytes.as_bytes(), End::Eof).unwrap().end, End::BadChunk, "{body}");
        }
    }

    #[test]
    fn informational_answers_stand_apart() {
        let response = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", End::Eof).unwrap();
        assert_eq!((response.interim.len(), response.status, response.end), (1, 204, End::Length));
    }

    #[test]
    fn a_switch_to_websocket_yields_messages() {
        let response = read(
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n\x81\x02hi\x88\x00\x81",
            End::Eof,
        )
        .unwrap();
        let Content::Messages(messages) = response.content else { panic!() };
        assert_eq!(
            messages.iter().map(|m| (m.opcode(), &m.payload[..])).collect::<Vec<_>>(),
            [(1, &b"hi"[..]), (8, b"")]
        );
    }
}
