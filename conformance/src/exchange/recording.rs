//! Reads the recordings of genuine daemons, `DAEMON-vAPI.jsonl.gz`, a line an exchange or an observation.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use drydock_spec::{VERSIONS, Version};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Exchange, Origin,
    archive::{Archive, Entry, EntryKind},
    frames::Frame,
    request::{Input, Request, RequestBody},
    response::{Content, End, Interim, NoAnswer, Response},
    websocket::Message,
    wire,
};

/// Which daemon, asked under which prefix: a file of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// The version whose genuine daemon it was.
    pub daemon: Version,
    /// The prefix of its requests.
    pub api: Api,
}

/// A prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// None.
    Unversioned,
    /// `/v1.N`.
    Version(Version),
}

impl FileName {
    /// The 27 files: every daemon under each version up to its own, and without a prefix.
    pub fn all() -> impl Iterator<Item = FileName> {
        VERSIONS.into_iter().flat_map(|daemon| {
            let known = VERSIONS.into_iter().filter(move |version| *version <= daemon).map(Api::Version);
            known.chain([Api::Unversioned]).map(move |api| FileName { daemon, api })
        })
    }

    /// The file of a version's genuine daemon under that version: what the spec is written from.
    pub fn own(version: Version) -> Self {
        Self { daemon: version, api: Api::Version(version) }
    }

    /// Whether the daemon was asked under its own newest version.
    pub fn is_own(self) -> bool {
        self.api == Api::Version(self.daemon)
    }

    /// The version in the requests' paths.
    pub fn asked(self) -> Option<Version> {
        match self.api {
            Api::Unversioned => None,
            Api::Version(version) => Some(version),
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.api {
            Api::Unversioned => write!(f, "{}-unversioned", self.daemon.daemon()),
            Api::Version(version) => write!(f, "{}-v{version}", self.daemon.daemon()),
        }
    }
}

impl FromStr for FileName {
    type Err = RecordingError;

    fn from_str(text: &str) -> Result<Self, RecordingError> {
        FileName::all().find(|name| name.to_string() == text).ok_or_else(|| RecordingError::Name(text.to_owned()))
    }
}

/// Why recordings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// No file has this name.
    #[error("{0:?} names no recordings: DAEMON-vAPI or DAEMON-unversioned, such as 1.6.2-v1.18")]
    Name(String),
    /// A file cannot be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line that is no recorded exchange.
    #[error("{path}, line {line}: {message}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The scenario.
    pub scenario: String,
    /// The step in it; may come more than once.
    pub step: String,
    /// The line's number, unique in its file and frozen.
    pub seq: u32,
    /// What was done or seen.
    pub seen: Seen,
}

/// What a line holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A request and what came of it.
    Exchange {
        /// The exchange.
        exchange: Box<Exchange>,
        /// The target with names of the scenario's objects in place of ids.
        target_template: Option<String>,
        /// The body likewise.
        body_template: Option<String>,
    },
    /// Something seen beside the API.
    Observation(Observation),
}

/// Something seen beside the API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Observation {
    /// How it was looked at: the command in the container or beside the daemon, or the file.
    pub what: String,
    /// What it showed.
    pub result: Value,
}

impl Record {
    /// The exchange, if it is one.
    pub fn exchange(&self) -> Option<&Exchange> {
        match &self.seen {
            Seen::Exchange { exchange, .. } => Some(exchange),
            Seen::Observation(_) => None,
        }
    }

    /// Takes the exchange out, if it is one.
    pub fn into_exchange(self) -> Option<Exchange> {
        match self.seen {
            Seen::Exchange { exchange, .. } => Some(*exchange),
            Seen::Observation(_) => None,
        }
    }
}

/// A folder of recordings.
#[derive(Clone, Debug)]
pub struct Recordings {
    folder: PathBuf,
}

impl Recordings {
    /// The recordings in a folder.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Those that this repository carries.
    pub fn of_the_project() -> Self {
        Self::in_folder(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a whole file.
    pub fn read(&self, name: FileName) -> Result<Vec<Record>, RecordingError> {
        let path = self.folder.join(format!("{name}.jsonl.gz"));
        let text = gunzip(&path)?;
        let mut records = Vec::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
            let error = |message: String| RecordingError::Line { path: path.clone(), line: index + 1, message };
            let line: LineOfFile = serde_json::from_slice(line).map_err(|problem| error(problem.to_string()))?;
            records.push(line.into_record(name).map_err(error)?);
        }
        Ok(records)
    }

    /// The binary bodies of requests, which the recordings only label.
    pub fn bodies(&self) -> Result<Vec<RecordedBody>, RecordingError> {
        let path = self.folder.join("bodies.jsonl.gz");
        let file = File::open(&path).map_err(|source| RecordingError::Read { path: path.clone(), source })?;
        BufReader::new(MultiGzDecoder::new(file))
            .lines()
            .enumerate()
            .map(|(index, line)| {
                let line = line.map_err(|source| RecordingError::Read { path: path.clone(), source })?;
                serde_json::from_str(&line).map_err(|problem| RecordingError::Line {
                    path: path.clone(),
                    line: index + 1,
                    message: problem.to_string(),
                })
            })
            .collect()
    }
}

/// The body of a step's request.
#[derive(Clone, Debug, Deserialize)]
pub struct RecordedBody {
    /// The scenario.
    pub scenario: String,
    /// The step.
    pub step: String,
    /// Which run of the step, counted from 1, where it ran more than once.
    #[serde(default)]
    pub nth: Option<u32>,
    /// The bytes in base64.
    #[serde(default, rename = "body_b64")]
    pub base64: Option<String>,
    /// In words, where it is made from the test image.
    #[serde(default, rename = "body")]
    pub described: Option<String>,
}

fn gunzip(path: &Path) -> Result<Vec<u8>, RecordingError> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut text = Vec::new();
        MultiGzDecoder::new(BufReader::new(File::open(path)?)).read_to_end(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| RecordingError::Read { path: path.to_owned(), source })
}

#[derive(Deserialize)]
struct LineOfFile {
    scenario: String,
    step: String,
    seq: u32,
    request: Option<LineRequest>,
    response: Option<LineResponse>,
    observe: Option<Observation>,
}

#[derive(Deserialize)]
struct LineRequest {
    #[serde(default)]
    method: String,
    #[serde(default)]
    path: String,
    path_template: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_template: Option<String>,
    body_b64: Option<String>,
    body_label: Option<String>,
    #[serde(default)]
    body_size: u64,
    #[serde(default)]
    stdin: Vec<String>,
    raw: Option<String>,
    proto: Option<String>,
}

#[derive(Deserialize)]
struct LineResponse {
    #[serde(default)]
    interim: Vec<Interim>,
    proto: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    end: Option<String>,
    body: Option<String>,
    body_b64: Option<String>,
    truncated: Option<u64>,
    frames: Option<Vec<(u8, String)>>,
    ws: Option<Vec<(String, String)>>,
    tar: Option<Vec<LineEntry>>,
    #[serde(default)]
    tar_omitted: u32,
    #[serde(default)]
    size: u64,
    /// A long list ends in words: `... 139 in all`.
    #[serde(default)]
    chunks: Vec<Value>,
    #[serde(default)]
    ms: u64,
    error: Option<String>,
}

#[derive(Deserialize)]
struct LineEntry {
    name: String,
    #[serde(rename = "type")]
    kind: EntryKind,
    mode: String,
    size: u64,
    uid: u64,
    gid: u64,
    mtime: u64,
    linkname: Option<String>,
    text: Option<String>,
    tar: Option<Vec<LineEntry>>,
    #[serde(default)]
    tar_omitted: u32,
}

impl LineOfFile {
    fn into_record(self, file: FileName) -> Result<Record, String> {
        let LineOfFile { scenario, step, seq, request, response, observe } = self;
        let seen = match (request, response, observe) {
            (Some(mut request), Some(response), None) => {
                let (target_template, body_template) = (request.path_template.take(), request.body_template.take());
                let took = Duration::from_millis(response.ms);
                let origin = Origin::Recorded { file, seq, scenario: scenario.clone(), step: step.clone() };
                let exchange =
                    Exchange { origin, request: request.into_request()?, answer: response.into_answer()?, took };
                Seen::Exchange { exchange: Box::new(exchange), target_template, body_template }
            }
            (None, None, Some(observation)) => Seen::Observation(observation),
            _ => return Err("has neither request and response nor an observation".into()),
        };
        Ok(Record { scenario, step, seq, seen })
    }
}

impl LineRequest {
    fn into_request(self) -> Result<Request, String> {
        if let Some(raw) = self.raw {
            return Ok(Request::literal(literal(&raw)));
        }
        let body = match (self.body, self.body_b64, self.body_label) {
            (Some(text), _, _) => RequestBody::Bytes(text.into_bytes()),
            (_, Some(text), _) => RequestBody::Bytes(BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?),
            (_, _, Some(label)) => RequestBody::Described { label, size: self.body_size },
            _ => RequestBody::Absent,
        };
        let stdin = self.stdin.into_iter().filter_map(|text| match text.as_str() {
            "<half-close>" => Some(Input::HalfClose),
            // What became of the client's own write is no input.
            text if text.starts_with("<[Errno") => None,
            _ => Some(Input::Bytes(text.into_bytes())),
        });
        Ok(Request {
            method: self.method,
            target: self.path,
            headers: self.headers,
            body,
            stdin: stdin.collect(),
            raw: None,
            proto: self.proto.unwrap_or_else(|| Request::PROTO.to_owned()),
        })
    }
}

/// A literal request; a very long one is recorded by its beginning, its last character standing for the rest:
/// `aaa... (1000 bytes)`.
fn literal(raw: &str) -> Vec<u8> {
    let whole = raw.strip_suffix(" bytes)").and_then(|text| text.rsplit_once("... (")).and_then(|(kept, size)| {
        let size: usize = size.parse().ok()?;
        let last = *kept.as_bytes().last()?;
        let mut bytes = kept.as_bytes().to_vec();
        let tail = b"/json HTTP/1.1\r\nHost: docker\r\n\r\n";
        // In the request line or in a header: the head has to end either way.
        let tail: &[u8] = if kept.contains("\r\n") { b"\r\n\r\n" } else { tail };
        bytes.resize(size.checked_sub(tail.len())?.max(bytes.len()), last);
        bytes.extend_from_slice(tail);
        Some(bytes)
    });
    // Code points below 256 stand for bytes.
    whole.unwrap_or_else(|| latin1(raw))
}

fn latin1(text: &str) -> Vec<u8> {
    if text.chars().all(|c| u32::from(c) < 256) {
        text.chars().map(|c| c as u8).collect()
    } else {
        text.as_bytes().to_vec()
    }
}

impl LineResponse {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the body has the announced length.
    fn is_whole(&self) -> bool {
        let announced = self.header("Content-Length").and_then(|length| length.parse().ok());
        announced.is_some_and(|length: usize| self.body.as_ref().is_some_and(|body| body.len() == length))
    }

    /// A stream that was read while others ran was recorded with its transfer coding.
    fn into_answer(mut self) -> Result<Result<Response, NoAnswer>, String> {
        if self.status == 0 {
            let error = self.error.unwrap_or_default();
            return Ok(Err(match error.as_str() {
                "connection closed without a response" => NoAnswer::Closed,
                "no response before timeout" => NoAnswer::Timeout,
                _ => NoAnswer::NotAsked(error),
            }));
        }
        let raw = self.chunks.is_empty() && self.header("Transfer-Encoding") == Some("chunked");
        let end = match self.end.as_deref() {
            Some("length") => End::Length,
            Some("chunked") => End::Chunked,
            Some("eof") => End::Eof,
            // The recorder waited on behind a whole answer: it had expected a stream.
            Some("timeout") if self.is_whole() => End::Length,
            Some("timeout") => End::Timeout,
            other => return Err(format!("it ended by {other:?}")),
        };
        let content = if let Some(frames) = self.frames {
            let frames = frames.into_iter().map(|(stream, text)| Frame { stream, payload: text.into_bytes() });
            Content::Frames(frames.collect())
        } else if let Some(messages) = self.ws {
            let message = |(head, text): (String, String)| {
                let head = head.strip_prefix("0x").and_then(|digits| u8::from_str_radix(digits, 16).ok());
                Ok(Message {
                    head: head.ok_or("a websocket message's first byte is no number")?,
                    payload: latin1(&text),
                })
            };
            Content::Messages(messages.into_iter().map(message).collect::<Result<_, String>>()?)
        } else if let Some(entries) = self.tar {
            Content::Archive(archive(entries, self.tar_omitted, self.size))
        } else if let Some(text) = self.body_b64 {
            Content::Bytes(BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?)
        } else {
            let kept = self.body.unwrap_or_default().into_bytes();
            match self.truncated {
                Some(size) => Content::Cut { kept, size },
                None if raw && !kept.is_empty() => {
                    let (body, chunks) = wire::unchunk(&kept);
                    self.chunks = chunks.into_iter().map(Value::from).collect();
                    Content::Bytes(body)
                }
                None => Content::Bytes(kept),
            }
        };
        Ok(Ok(Response {
            interim: self.interim,
            proto: self.proto.unwrap_or_default(),
            status: self.status,
            reason: self.reason,
            headers: self.headers,
            content,
            chunks: self
                .chunks
                .iter()
                .filter_map(Value::as_u64)
                .filter_map(|chunk| usize::try_from(chunk).ok())
                .collect(),
            end,
        }))
    }
}

fn archive(entries: Vec<LineEntry>, omitted: u32, size: u64) -> Archive {
    let entry = |entry: LineEntry| Entry {
        name: entry.name,
        kind: entry.kind,
        mode: entry.mode,
        size: entry.size,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        link: entry.linkname,
        text: entry.text,
        inner: entry.tar.map(|inner| archive(inner, entry.tar_omitted, entry.size)),
    };
    Archive { entries: entries.into_iter().map(entry).collect(), omitted, size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_27_files_are_read_whole() {
        let recordings = Recordings::of_the_project();
        let (mut exchanges, mut observations) = (0, 0);
        for name in FileName::all() {
            for record in recordings.read(name).unwrap() {
                match record.seen {
                    Seen::Exchange { .. } => exchanges += 1,
                    Seen::Observation(_) => observations += 1,
                }
            }
        }
        assert_eq!((exchanges, observations), (98186, 10580));
    }

    #[test]
    fn malformed_recordings_are_told_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let name = FileName::own(Version::NEWEST);
        let path = folder.path().join(format!("{name}.jsonl.gz"));
        let write = |text: &str| {
            let mut gz = flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gz, text.as_bytes()).unwrap();
            gz.finish().unwrap();
        };
        let recordings = Recordings::in_folder(folder.path());
        for (text, expected) in [
            ("{\"scenario\":\"s\",\"step\":\"t\",\"seq\":1}\n", "line 1: has neither"),
            ("\n{\"scenario\":\"s\"}\n", "line 2: missing field `step`"),
            ("not json\n", "line 1: "),
        ] {
            write(text);
            let error = recordings.read(name).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        std::fs::write(&path, b"no gzip").unwrap();
        assert!(matches!(recordings.read(name), Err(RecordingError::Read { .. })));
    }

    #[test]
    fn a_file_has_daemon_and_prefix_in_its_name() {
        assert_eq!(FileName::all().count(), 27);
        let name: FileName = "1.6.2-v1.15".parse().unwrap();
        assert_eq!((name.to_string().as_str(), name.is_own()), ("1.6.2-v1.15", false));
        assert!("1.2.0-v1.19".parse::<FileName>().is_err());
    }
}
