//! What a client sends.

use std::time::Duration;

/// A request: head, body, and what follows on a hijacked connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As written in the request line.
    pub method: String,
    /// Path and query as written in the request line, prefix included: `/v1.19/containers/json?all=1`.
    pub target: String,
    /// In the order in which they are sent. `Content-Length` is added by the client when a body needs it and none is
    /// given.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RequestBody,
    /// What is sent once the head of the answer is there.
    pub stdin: Vec<Input>,
    /// Sent literally in place of head and body. The other fields then tell its request line as far as it has one.
    pub raw: Option<Vec<u8>>,
    /// The protocol, as the request line has it.
    pub proto: String,
}

/// A request's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequestBody {
    /// None.
    #[default]
    Absent,
    /// These bytes, with their length announced.
    Bytes(Vec<u8>),
    /// These pieces, each as one chunk.
    Chunks(Vec<Vec<u8>>),
    /// Recorded by a label only: the bytes are in the scenario's bodies.
    Described {
        /// In words.
        label: String,
        /// In bytes.
        size: u64,
    },
}

/// One thing done to the client's side of a hijacked connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes sent.
    Bytes(Vec<u8>),
    /// A wait before the next.
    Pause(Duration),
    /// The write side shut, the read side open.
    HalfClose,
}

impl Request {
    /// The protocol that clients speak.
    pub const PROTO: &str = "HTTP/1.1";

    /// A request without headers or body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            headers: Vec::new(),
            body: RequestBody::Absent,
            stdin: Vec::new(),
            raw: None,
            proto: Self::PROTO.to_owned(),
        }
    }

    /// Adds a JSON body and its content type.
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.headers.push(("Content-Type".into(), "application/json".into()));
        self.body = RequestBody::Bytes(body.to_string().into_bytes());
        self
    }

    /// Adds a body of this type.
    pub fn content(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.headers.push(("Content-Type".into(), content_type.into()));
        self.body = RequestBody::Bytes(body);
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds what to send on the hijacked connection.
    pub fn stdin(mut self, inputs: impl IntoIterator<Item = Input>) -> Self {
        self.stdin.extend(inputs);
        self
    }

    /// Literal bytes; method and target are read from them as far as they have any.
    pub fn literal(bytes: Vec<u8>) -> Self {
        let line: Vec<u8> = bytes.iter().copied().take_while(|b| *b != b'\r' && *b != b'\n').collect();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split(' ');
        let mut request = Self::new(words.next().unwrap_or_default(), words.next().unwrap_or_default());
        request.proto = words.next().unwrap_or_default().to_owned();
        let text = String::from_utf8_lossy(&bytes);
        request.headers = text
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        request.raw = Some(bytes);
        request
    }

    /// The first header of this name, whatever its case.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The target up to its query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The target's query as written, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The body's bytes, where they are known.
    pub fn body_bytes(&self) -> Option<Vec<u8>> {
        match &self.body {
            RequestBody::Absent => Some(Vec::new()),
            RequestBody::Bytes(bytes) => Some(bytes.clone()),
            RequestBody::Chunks(pieces) => Some(pieces.concat()),
            RequestBody::Described { .. } => None,
        }
    }

    /// Head and body as they go over the wire.
    pub fn to_wire(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone();
        }
        let mut out = format!("{} {} {}\r\n", self.method, self.target, self.proto).into_bytes();
        let mut header = |name: &str, value: &str| out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        if self.header_value("Host").is_none() {
            header("Host", "docker");
        }
        for (name, value) in &self.headers {
            header(name, value);
        }
        let length_said =
            self.header_value("Content-Length").is_some() || self.header_value("Transfer-Encoding").is_some();
        match &self.body {
            RequestBody::Bytes(bytes) if !length_said => header("Content-Length", &bytes.len().to_string()),
            RequestBody::Chunks(_) if !length_said => header("Transfer-Encoding", "chunked"),
            RequestBody::Absent if !length_said && matches!(self.method.as_str(), "POST" | "PUT") => {
                header("Content-Length", "0");
            }
            _ => {}
        }
        out.extend_from_slice(b"\r\n");
        // A header that says so makes any body one of chunks.
        let chunked =
            self.header_value("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        match &self.body {
            RequestBody::Bytes(bytes) if chunked => in_chunks(std::slice::from_ref(bytes), &mut out),
            RequestBody::Bytes(bytes) => out.extend_from_slice(bytes),
            RequestBody::Chunks(pieces) => in_chunks(pieces, &mut out),
            RequestBody::Absent | RequestBody::Described { .. } => {}
        }
        out
    }

    /// A `curl` line that sends the same, for a daemon at `address`.
    pub fn curl(&self, address: &str) -> String {
        if let Some(raw) = &self.raw {
            let text = String::from_utf8_lossy(&raw[..raw.len().min(400)]);
            return format!("printf %b {} | nc {}", quote(&text.escape_default().to_string()), netcat(address));
        }
        let mut line = match address.strip_prefix("unix://") {
            Some(path) => format!("curl -g -i --unix-socket {} -X {}", quote(path), self.method),
            None => format!("curl -g -i -X {}", self.method),
        };
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
            line += &format!(" -H {}", quote(&format!("{name}: {value}")));
        }
        match &self.body {
            RequestBody::Absent => {}
            RequestBody::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.len() <= 4096 && !text.contains('\0') => {
                    line += &format!(" --data-binary {}", quote(text))
                }
                _ => line += &format!(" --data-binary @body # {} bytes", bytes.len()),
            },
            RequestBody::Chunks(_) => line += " -H 'Transfer-Encoding: chunked' --data-binary @body",
            RequestBody::Described { label, .. } => line += &format!(" --data-binary @{}", quote(label)),
        }
        let base = match address.strip_prefix("tcp://") {
            Some(host) => format!("http://{host}"),
            None => "http://docker".to_owned(),
        };
        line + " " + &quote(&format!("{base}{}", self.target))
    }
}

/// The chunked transfer coding of `pieces`.
fn in_chunks(pieces: &[Vec<u8>], out: &mut Vec<u8>) {
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn netcat(address: &str) -> String {
    match (address.strip_prefix("unix://"), address.strip_prefix("tcp://")) {
        (Some(path), _) => format!("-U {}", quote(path)),
        (_, Some(host)) => host.replace(':', " "),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_request_still_tells_its_line_and_headers() {
        let request = Request::literal(b"GET /_ping?a=b HTTP/1.0\r\nHost: x\r\n\r\nrest".to_vec());
        assert_eq!((request.method.as_str(), request.path(), request.query()), ("GET", "/_ping", Some("a=b")));
        assert_eq!(request.proto, "HTTP/1.0");
        assert_eq!(request.header_value("host"), Some("x"));
        assert_eq!(request.to_wire(), b"GET /_ping?a=b HTTP/1.0\r\nHost: x\r\n\r\nrest");
    }

    #[test]
    fn a_body_brings_its_length() {
        let request = Request::new("POST", "/x").content("text/plain", b"hi".to_vec());
        let wire = String::from_utf8(request.to_wire()).unwrap();
        assert_eq!(wire, "POST /x HTTP/1.1\r\nHost: docker\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
    }
}
