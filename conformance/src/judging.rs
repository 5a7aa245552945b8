//! Holds an exchange against the spec: its endpoint, and the outcomes that its answer is.

use std::borrow::Cow;

use drydock_spec::{
    Spec, Version,
    entries::Entry,
    judge::{self, Candidate, Level},
    model::{Content as Described, Endpoint},
    route::{Prefix, split_prefix},
};

use crate::exchange::{Content, Exchange, NoAnswer, Request, Response};

/// A request as the spec sees it.
#[derive(Clone, Debug)]
pub struct Asked {
    method: String,
    path: String,
    /// The version in the path.
    pub version: Option<Version>,
    query: Vec<(String, String)>,
}

impl Asked {
    /// Reads target and method.
    pub fn new(request: &Request) -> Self {
        let target = request
            .target
            .strip_prefix("http://")
            .map_or(request.target.as_str(), |rest| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = decode(path.split('#').next().unwrap_or_default(), false);
        let (version, path) = match split_prefix(&path) {
            (Prefix::Known(version), rest) => (Some(version), rest.to_owned()),
            // Its answer speaks of the prefix, not of what stands behind it.
            (Prefix::Other(_), _) => (None, path),
            (Prefix::Absent, rest) => (None, rest.to_owned()),
        };
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name, true), decode(value, true)))
            .collect();
        Self { method: request.method.clone(), path, version, query }
    }

    /// The request for [`Spec::judge`].
    pub fn as_spec(&self) -> judge::Request<'_> {
        judge::Request { method: &self.method, path: &self.path, asked: self.version, query: &self.query }
    }
}

/// Percent-decoding that leaves alone what is malformed.
fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                rest = &after[2..];
            }
            (b'+', _) if plus_is_blank => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What the spec says of an exchange.
#[derive(Debug)]
pub struct Judged<'s> {
    /// The request's endpoint in the version.
    pub endpoint: Option<&'s Endpoint>,
    /// What was found.
    pub ruling: Standing<'s>,
}

/// How an exchange stands to the spec.
#[derive(Debug)]
pub enum Standing<'s> {
    /// It is this outcome.
    Is(Candidate<'s>),
    /// It is none: the outcomes of its status, with their differences. Empty where the spec has no such status.
    None(Vec<Candidate<'s>>),
    /// It may be any of these, which the spec fails to tell apart.
    Several(Vec<Candidate<'s>>),
    /// There was no answer.
    Unanswered(NoAnswer),
    /// The recording did not keep the whole answer.
    NotKept,
}

/// Holds an exchange with a daemon of `version` against the spec.
pub fn judge<'s>(spec: &'s Spec, version: Version, exchange: &Exchange, level: Level) -> Judged<'s> {
    let asked = Asked::new(&exchange.request);
    let request = asked.as_spec();
    let endpoint = spec.route(version, &request).map(|(endpoint, _)| endpoint);
    let response = match &exchange.answer {
        Ok(response) => response,
        Err(error) => return Judged { endpoint, ruling: Standing::Unanswered(error.clone()) },
    };
    let Some(body) = body(response) else { return Judged { endpoint, ruling: Standing::NotKept } };
    let answer = judge::Response { status: response.status, headers: &response.headers, body: &body };
    let mut candidates = spec.judge(endpoint, version, &request, &answer, level);
    for candidate in &mut candidates {
        let difference = content_difference(candidate.answer().content(), response);
        candidate.differences.extend(difference);
    }
    Judged { endpoint, ruling: standing(candidates) }
}

/// The endpoint's own outcomes go before those of any request. Of several answers of one outcome the first counts:
/// which of them it is makes no difference to anyone.
fn standing(candidates: Vec<Candidate<'_>>) -> Standing<'_> {
    let fits = |front: bool| {
        let mut fitting: Vec<&Candidate<'_>> = candidates
            .iter()
            .filter(|candidate| candidate.front == front && candidate.differences.is_empty())
            .collect();
        fitting.dedup_by(|a, b| std::ptr::eq(a.outcome, b.outcome));
        fitting.into_iter().cloned().collect::<Vec<_>>()
    };
    let mut fitting = fits(false);
    if fitting.is_empty() {
        fitting = fits(true);
    }
    match (fitting.len(), fitting.pop()) {
        (1, Some(candidate)) => Standing::Is(candidate),
        (_, None) => Standing::None(candidates),
        (_, Some(last)) => {
            fitting.push(last);
            Standing::Several(fitting)
        }
    }
}

/// The body that the spec is shown: without a last message that the client's leaving cut off, and for an archive
/// known by its entries a stand-in. `None`: not kept.
fn body(response: &Response) -> Option<Cow<'_, [u8]>> {
    match &response.content {
        Content::Cut { .. } => None,
        Content::Archive(_) => Some(Cow::Borrowed(&[0; 512])),
        Content::Messages(_) => Some(Cow::Borrowed(&[])),
        Content::Bytes(bytes) if response.left_early() && bytes.first() == Some(&b'{') => {
            Some(Cow::Borrowed(&bytes[..whole_documents(bytes)]))
        }
        Content::Bytes(_) | Content::Frames(_) => response.bytes(),
    }
}

/// How many bytes of a stream of JSON are whole documents.
fn whole_documents(bytes: &[u8]) -> usize {
    let mut stream = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    let mut end = 0;
    while let Some(Ok(_)) = stream.next() {
        end = stream.byte_offset();
    }
    end
}

/// Whether what followed the head is of the described kind.
fn content_difference(described: Described, response: &Response) -> Option<String> {
    match (described, &response.content) {
        (Described::Tar, Content::Bytes(_)) => response.archive().err().map(|error| format!("its body is {error}")),
        (Described::Tar, Content::Archive(_)) => None,
        (Described::Websocket, Content::Messages(_)) => None,
        (Described::Tar | Described::Websocket, _) => Some(format!("its body is no {described:?}").to_lowercase()),
        (Described::Stdio | Described::Hijack | Described::Bytes, Content::Bytes(_) | Content::Frames(_)) => None,
        (Described::None | Described::Text | Described::Json | Described::JsonLines, Content::Bytes(_)) => None,
        (_, content) => Some(format!("its body is {}", kind(content))),
    }
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Bytes(_) | Content::Cut { .. } => "bytes",
        Content::Frames(_) => "multiplexed frames",
        Content::Messages(_) => "websocket messages",
        Content::Archive(_) => "a tar archive",
    }
}

/// The entries that an exchange exercises, as the outcome it was judged to be.
pub fn exercised(spec: &Spec, version: Version, exchange: &Exchange, judged: &Judged<'_>) -> Vec<Entry> {
    let (Standing::Is(candidate), Ok(response)) = (&judged.ruling, &exchange.answer) else { return Vec::new() };
    let asked = Asked::new(&exchange.request);
    let body = body(response).unwrap_or_default();
    spec.exercised(judged.endpoint, version, &asked.as_spec(), candidate, &body)
}

/// Why an exchange is no outcome, in a line.
pub fn explain(judged: &Judged<'_>, exchange: &Exchange) -> String {
    let place = |candidate: &Candidate<'_>| format!("{}/by/{}", candidate.outcome.id, candidate.by);
    match &judged.ruling {
        Standing::Is(candidate) => format!("is {}", place(candidate)),
        Standing::Unanswered(error) => error.to_string(),
        Standing::NotKept => "the recording keeps the beginning of its answer only".to_owned(),
        Standing::Several(candidates) => {
            format!("may be any of {}", candidates.iter().map(place).collect::<Vec<_>>().join(", "))
        }
        Standing::None(candidates) => {
            let status = exchange.status().unwrap_or_default();
            match candidates.iter().min_by_key(|candidate| (candidate.front, candidate.differences.len())) {
                Some(nearest) => format!("{status}: not {}: {}", place(nearest), nearest.differences.join("; ")),
                None => format!("{status}: no outcome has this status"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_the_daemons_read_it() {
        let asked = Asked::new(&Request::new("GET", "http://x/v1.18/containers/a%2Fb/json?all=1&x=a+b%26c&=&flag"));
        assert_eq!(
            (asked.path.as_str(), asked.version.map(|v| v.to_string()).as_deref()),
            ("/containers/a/b/json", Some("1.18"))
        );
        let pairs = [("all", "1"), ("x", "a b&c"), ("", ""), ("flag", "")];
        assert_eq!(asked.query, pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(Asked::new(&Request::new("GET", "/v9.9/x%zz")).path, "/v9.9/x%zz");
    }

    #[test]
    fn a_stream_cut_by_the_client_is_judged_without_its_last_message() {
        assert_eq!(whole_documents(b"{\"a\":1}\n{\"b\":2}{\"c"), 15);
        assert_eq!(whole_documents(b"{"), 0);
    }
}
