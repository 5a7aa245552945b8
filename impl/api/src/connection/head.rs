//! A request's head, read as the genuine daemons' server read it.
//!
//! A line ends with LF, with or without CR before it. A line that begins with a blank goes on with the field before
//! it; blanks between a field's name and its colon are none of the name. What is no head is refused: by then nobody
//! knows where the next request would begin.

use std::borrow::Cow;

use hyper::{
    HeaderMap, Method,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING},
};

use super::framing::Framing;
use crate::query::unescape;

/// The bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// A request without its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// Decoded, without the query.
    pub(super) path: String,
    /// As it was sent.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    /// How the body behind it is framed.
    pub(super) framing: Framing,
    pub(super) manner: Manner,
}

/// How a client wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Knows chunks, and keeps the connection unless it says otherwise: HTTP/1.1.
    pub(super) modern: bool,
    /// Said what its version does not: `close`, and `keep-alive` before 1.1.
    pub(super) otherwise: bool,
    /// Wants no body: `HEAD`.
    pub(super) head_only: bool,
    /// Sends its body once it is told to go on.
    pub(super) awaits_continue: bool,
}

/// Where a head ends that begins with `bytes`, if it does: behind its empty line. `from` is how far the search came
/// before; what it returns as an error is how far it came now.
pub(super) fn end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    for at in memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at) {
        match &bytes[at + 1..] {
            [b'\n', ..] => return Ok(at + 2),
            [b'\r', b'\n', ..] => return Ok(at + 3),
            [] | [b'\r'] => return Err(at),
            _ => {}
        }
    }
    Err(bytes.len())
}

/// Whether a request may begin with this line, so that nobody waits for the rest of what cannot become one.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    memchr::memchr(b'\n', bytes).is_none_or(|end| request_line(line(&bytes[..=end])).is_ok())
}

impl Head {
    /// Reads a head that is there as a whole, its empty line included.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(line);
        let (method, target, modern) = request_line(lines.next().unwrap_or_default())?;
        let method = Method::from_bytes(method).map_err(|_| Malformed)?;
        let (path, query) = split_target(&String::from_utf8_lossy(target), method == Method::CONNECT)?;
        let headers = fields(lines)?;
        let framing = framing(&headers, &method)?;
        let said = |token| has_token(&headers, &CONNECTION, token);
        let manner = Manner {
            modern,
            otherwise: if modern { said("close") } else { said("keep-alive") },
            head_only: method == Method::HEAD,
            awaits_continue: modern && has_token(&headers, &EXPECT, "100-continue"),
        };
        Ok(Self { method, path, query, headers, framing, manner })
    }
}

fn line(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Method, target and whether the version is 1.1 or later.
fn request_line(line: &[u8]) -> Result<(&[u8], &[u8], bool), Malformed> {
    let blank = |bytes: &[u8]| memchr::memchr(b' ', bytes).ok_or(Malformed);
    let (method, rest) = line.split_at(blank(line)?);
    let (target, protocol) = rest[1..].split_at(blank(&rest[1..])?);
    let version = protocol[1..].strip_prefix(b"HTTP/").ok_or(Malformed)?;
    let version = std::str::from_utf8(version).map_err(|_| Malformed)?;
    let (major, minor) = version.split_once('.').ok_or(Malformed)?;
    let number = |digits: &str| digits.parse::<u32>().map_err(|_| Malformed);
    Ok((method, target, (number(major)?, number(minor)?) >= (1, 1)))
}

/// Path, decoded, and query of a target: a path, or an absolute URI. What follows a `#` is part of them, since no
/// client may send a fragment.
fn split_target(target: &str, authority: bool) -> Result<(String, String), Malformed> {
    let (place, query) = target.split_once('?').unwrap_or((target, ""));
    let path = match place.split_once(':') {
        _ if place.starts_with('/') || place == "*" => place,
        _ if authority => "",
        Some((scheme, rest)) if is_scheme(scheme) => match rest.strip_prefix("//") {
            Some(rest) => rest.find('/').map_or("", |at| &rest[at..]),
            None => "",
        },
        _ => return Err(Malformed),
    };
    Ok((unescape(path, false).map_err(|_| Malformed)?, query.to_owned()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    let mut lines = lines.take_while(|line| !line.is_empty()).peekable();
    while let Some(first) = lines.next() {
        let mut field = Cow::Borrowed(first.trim_ascii_end());
        while let Some(more) = lines.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
            let field = field.to_mut();
            field.push(b' ');
            field.extend_from_slice(more.trim_ascii());
        }
        let colon = memchr::memchr(b':', &field).ok_or(Malformed)?;
        let name = field[..colon].trim_ascii_end();
        let value = HeaderValue::from_bytes(field[colon + 1..].trim_ascii()).map_err(|_| Malformed)?;
        // What is no name is nothing that anybody asks for.
        if let Ok(name) = HeaderName::from_bytes(name) {
            headers.try_append(name, value).map_err(|_| Malformed)?;
        }
    }
    Ok(headers)
}

/// How the body is framed. Whatever two readers could take for two lengths is refused.
fn framing(headers: &HeaderMap, method: &Method) -> Result<Framing, Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let coding = coding.to_str().map_err(|_| Malformed)?.trim();
        return match coding {
            _ if codings.next().is_some() => Err(Malformed),
            "identity" => length(headers, method),
            _ if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::chunked()),
            _ => Err(Malformed),
        };
    }
    length(headers, method)
}

fn length(headers: &HeaderMap, method: &Method) -> Result<Framing, Malformed> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(Framing::Length(0)) };
    if lengths.any(|other| other != first) {
        return Err(Malformed);
    }
    let text = first.to_str().map_err(|_| Malformed)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Malformed);
    }
    match text.parse::<i64>() {
        Ok(0) => Ok(Framing::Length(0)),
        Ok(length) if *method != Method::HEAD => Ok(Framing::Length(length.unsigned_abs())),
        _ => Err(Malformed),
    }
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(head: &str) -> Result<Head, Malformed> {
        Head::parse(head.as_bytes())
    }

    #[test]
    fn a_head_may_be_written_loosely() {
        for head in [
            "GET /version?a=b HTTP/1.1\r\nHost: docker\r\nX-A: b c\r\n\r\n",
            "GET /version?a=b HTTP/1.1\nHost : docker\nX-A: b\n  c\n\n",
            "GET http://docker/version?a=b HTTP/1.1\r\nhost:docker\r\nx-a:   b\r\n\tc\r\n\r\n",
        ] {
            let head = parse(head).unwrap();
            assert_eq!((head.path.as_str(), head.query.as_str()), ("/version", "a=b"));
            assert_eq!(
                (head.headers["host"].as_bytes(), head.headers["x-a"].as_bytes()),
                (&b"docker"[..], &b"b c"[..])
            );
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for head in [
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "GET /_ping\r\n\r\n",
            "HELLO\r\n\r\n",
            "GET version HTTP/1.1\r\n\r\n",
            "GET /%zz HTTP/1.1\r\n\r\n",
            "GET / HTTP/x.y\r\n\r\n",
            "GET / HTTP/1.1\r\nnocolon\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(parse(head).err(), Some(Malformed), "{head:?}");
        }
    }

    #[test]
    fn a_fragment_is_part_of_the_path() {
        assert_eq!(parse("GET /version#top HTTP/1.1\r\n\r\n").unwrap().path, "/version#top");
    }

    #[test]
    fn a_chunked_body_has_no_other_length() {
        let head = parse("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n").unwrap();
        assert_eq!(head.framing, Framing::chunked());
    }

    #[test]
    fn a_client_says_whether_its_connection_stays() {
        let manner = |head: &str| parse(head).unwrap().manner;
        assert!(!manner("GET / HTTP/1.1\r\n\r\n").otherwise);
        assert!(manner("GET / HTTP/1.1\r\nConnection: Keep-Alive, Close\r\n\r\n").otherwise);
        let old = manner("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert!(!old.modern && old.otherwise);
        assert!(manner("GET / HTTP/1.2\r\n\r\n").modern);
    }

    #[test]
    fn the_end_is_found_however_the_bytes_come() {
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest";
        let mut from = 0;
        let mut found = None;
        for length in 0..bytes.len() {
            match end(&bytes[..length], from) {
                Ok(end) => {
                    found = Some(end);
                    break;
                }
                Err(reached) => from = reached,
            }
        }
        assert_eq!(found, Some(bytes.len() - 4));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (may_begin(&bytes), Head::parse(&bytes), end(&bytes, 0));
            let _ = Head::parse(&[b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat());
        }
    }
}
