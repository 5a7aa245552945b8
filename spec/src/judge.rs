//! Which of a request's outcomes an answer is.
//!
//! Pure: nothing here knows whether the answer was received now or recorded from a genuine daemon.

use serde_json::Value;

use crate::{
    load::Spec,
    model::{Answer, Content, Endpoint, Outcome, Tier},
    schema::{Context, validate},
    text::Text,
    version::Version,
};

/// A request, as far as the spec needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The decoded path below the version prefix.
    pub path: &'a str,
    /// The version in the path's prefix; `None` without one.
    pub asked: Option<Version>,
    /// Query parameters, decoded, in order.
    pub query: &'a [(String, String)],
}

impl Request<'_> {
    /// Whether a query parameter is true.
    pub fn flag(&self, name: &str) -> bool {
        self.query.iter().find(|(known, _)| known == name).is_some_and(|(_, value)| gobool(value))
    }
}

/// A boolean as the genuine daemons read it: false for nothing, `0`, `no`, `false`, `none`, true for all else.
pub fn gobool(text: &str) -> bool {
    !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
}

/// An answer, as far as the spec needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status.
    pub status: u16,
    /// The headers in order.
    pub headers: &'a [(String, String)],
    /// The body without its transfer coding; what was recorded as frames in their wire form.
    pub body: &'a [u8],
}

/// How strict to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What a client written from the documents relies on: more fields, headers and other texts are no failure.
    Documented,
    /// What the genuine daemon of the version did.
    Exact,
}

/// How an answer stands to one of the answers that the spec has for its request.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// The index of the answer in the outcome's `by`.
    pub by: usize,
    /// Whether it is one of `front.json`.
    pub front: bool,
    /// How they differ; empty when they don't.
    pub differences: Vec<String>,
}

impl Candidate<'_> {
    /// The entry's place in the spec: `/outcomes/3/by/0`.
    pub fn answer(&self) -> &Answer {
        &self.outcome.by[self.by]
    }
}

impl Endpoint {
    /// An outcome by its id.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.id == id)
    }

    /// The answer of an outcome in a version, asked under that version's own prefix.
    pub fn answer(&self, outcome: &str, version: Version) -> Option<&Answer> {
        self.outcome(outcome)?.answer(version, version)
    }
}

impl Outcome {
    /// The answer of a daemon of `version` that is asked under the prefix of `asked`.
    pub fn answer(&self, version: Version, asked: Version) -> Option<&Answer> {
        self.answers(version, asked).next().map(|(_, answer)| answer)
    }

    /// All such answers: more than one where they differ by what was asked for.
    pub fn answers(&self, version: Version, asked: Version) -> impl Iterator<Item = (usize, &Answer)> {
        self.by.iter().enumerate().filter(move |(_, answer)| {
            self.versions.contains(version)
                && answer.versions.contains(version)
                && answer.asked.is_none_or(|range| range.contains(asked))
        })
    }
}

impl Answer {
    /// What follows the head.
    pub fn content(&self) -> Content {
        self.content.unwrap_or(match (&self.text, &self.schema) {
            (Some(_), _) => Content::Text,
            (_, Some(_)) => Content::Json,
            _ => Content::None,
        })
    }

    /// The `Content-Type` that is sent; an empty list where there is none, several where the genuine daemon sniffed.
    pub fn content_types(&self) -> &'static [&'static str] {
        const TEXT: &str = "text/plain; charset=utf-8";
        match self.content() {
            Content::None if matches!(self.status.first(), 101 | 204 | 304) => &[],
            Content::None | Content::Text => &[TEXT],
            Content::Json | Content::JsonLines => &["application/json"],
            Content::Stdio | Content::Bytes => &["application/octet-stream", TEXT],
            Content::Hijack => &["application/vnd.docker.raw-stream"],
            Content::Tar => &["application/x-tar"],
            Content::Websocket => &[],
        }
    }
}

impl Spec {
    /// The endpoint of a request in a version.
    pub fn route<'p>(&self, version: Version, request: &Request<'p>) -> Option<(&Endpoint, &'p str)> {
        let found = self.routes().find(version, request.method, request.path)?;
        Some((&self.endpoints()[found.endpoint], found.variable))
    }

    /// Holds an answer of a daemon of `version` against every answer that the spec has for the request with that
    /// status: the endpoint's outcomes in their order, then those of `front.json`.
    pub fn judge<'s>(
        &'s self,
        endpoint: Option<&'s Endpoint>,
        version: Version,
        request: &Request<'_>,
        response: &Response<'_>,
        level: Level,
    ) -> Vec<Candidate<'s>> {
        let asked = request.asked.unwrap_or(version);
        let body = Body::new(response.body);
        let own = endpoint.into_iter().flat_map(|endpoint| endpoint.outcomes.iter().map(|outcome| (outcome, false)));
        let front = self.front().iter().map(|outcome| (outcome, true));
        let mut candidates = Vec::new();
        for (outcome, front) in own.chain(front) {
            for (by, answer) in outcome.answers(version, asked) {
                if answer.status.contains(response.status) {
                    let mut differences = self.differences(answer, version, asked, request, response, &body, level);
                    if let Some(told) = told_apart(&candidates, answer, request) {
                        differences.push(format!("is {told}"));
                    }
                    candidates.push(Candidate { outcome, by, front, differences });
                }
            }
        }
        candidates
    }

    #[allow(clippy::too_many_arguments)]
    fn differences(
        &self,
        answer: &Answer,
        version: Version,
        asked: Version,
        request: &Request<'_>,
        response: &Response<'_>,
        body: &Body<'_>,
        level: Level,
    ) -> Vec<String> {
        let mut differences = Vec::new();
        let flag = |name: &str| request.flag(name);
        let context = Context { spec: self, version, asked, flag: &flag, exact: level == Level::Exact };
        if level == Level::Exact {
            differences.extend(header_differences(answer, response));
        }
        match answer.content() {
            Content::None if !response.body.is_empty() && request.method != "HEAD" => {
                differences.push(format!("has a body of {} bytes", response.body.len()))
            }
            Content::Text if request.method != "HEAD" && level == Level::Exact => {
                let text = body.text();
                let text = text.strip_suffix('\n').unwrap_or(&text);
                if let Some(expected) = answer.text.as_ref().filter(|expected| !expected.matches(text, answer.tier)) {
                    differences.push(format!(
                        "its text is {text:?}, not {}{:?}",
                        if answer.tier == Tier::Prefix { "beginning with " } else { "" },
                        expected.source()
                    ));
                }
            }
            Content::Stdio | Content::Hijack if !answer.frames.is_empty() => {
                differences.extend(frame_difference(&answer.frames, response.body))
            }
            Content::Json => match body.documents() {
                Ok(documents) if documents.len() == 1 => {
                    if let Some(schema) = &answer.schema {
                        differences.extend(validate(context, schema, &documents[0]).iter().map(ToString::to_string));
                    }
                }
                Ok(documents) => differences.push(format!("holds {} JSON documents, not one", documents.len())),
                Err(error) => differences.push(format!("is no JSON: {error}")),
            },
            Content::JsonLines => match body.documents() {
                Ok(documents) => {
                    for (index, document) in documents.iter().enumerate() {
                        if let Some(schema) = &answer.schema {
                            differences.extend(
                                validate(context, schema, document)
                                    .iter()
                                    .map(|mismatch| format!("message {index}: {mismatch}")),
                            );
                        }
                    }
                }
                Err(error) => differences.push(format!("is no stream of JSON: {error}")),
            },
            _ => {}
        }
        differences
    }
}

/// The outcome that an answer is already known to be, where this one could not be told from it: bytes of any kind
/// from a text that fits, one with values from one without, and the texts that a HEAD does not carry.
fn told_apart<'a>(candidates: &'a [Candidate<'_>], answer: &Answer, request: &Request<'_>) -> Option<&'a str> {
    let any = matches!(answer.content(), Content::Stdio | Content::Hijack | Content::Bytes) && answer.frames.is_empty();
    let says = |other: &Answer| other.content() == Content::Text || !other.frames.is_empty();
    candidates
        .iter()
        .find(|other| {
            other.differences.is_empty()
                && says(other.answer())
                && (any || request.method == "HEAD" || goes_before(other.answer(), answer))
        })
        .map(|other| other.outcome.id.as_str())
}

/// Whether an exact text without values stands before one that its words would fit as well.
pub(crate) fn goes_before(first: &Answer, second: &Answer) -> bool {
    let literal = |answer: &Answer| answer.text.as_ref().map(Text::is_literal);
    first.tier == Tier::Exact && literal(first) == Some(true) && literal(second) == Some(false)
}

/// How container output differs from what the daemon itself says in it.
fn frame_difference(expected: &[(u8, Text)], body: &[u8]) -> Option<String> {
    let mut rest = body;
    let framed = expected.iter().all(|(stream, text)| {
        let Some(([kind, 0, 0, 0, length @ ..], after)) = rest.split_first_chunk::<8>() else { return false };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((payload, after)) = after.split_at_checked(length) else { return false };
        rest = after;
        kind == stream && text.matches(&String::from_utf8_lossy(payload), Tier::Exact)
    });
    let sources: Vec<&str> = expected.iter().map(|(_, text)| text.source()).collect();
    let raw =
        || Text::parse(&sources.concat()).is_ok_and(|text| text.matches(&String::from_utf8_lossy(body), Tier::Exact));
    let as_told = raw() || framed && rest.is_empty();
    (!as_told).then(|| format!("its output is {:?}, not {sources:?}", String::from_utf8_lossy(body)))
}

/// A body that is parsed at most once.
struct Body<'a> {
    bytes: &'a [u8],
    documents: std::cell::OnceCell<Result<Vec<Value>, String>>,
}

impl<'a> Body<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, documents: std::cell::OnceCell::new() }
    }

    fn text(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }

    fn documents(&self) -> &Result<Vec<Value>, String> {
        self.documents.get_or_init(|| {
            serde_json::Deserializer::from_slice(self.bytes)
                .into_iter::<Value>()
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| error.to_string())
        })
    }
}

/// Headers that are the connection's and not the answer's, or free.
fn is_framing(name: &str) -> bool {
    const FRAMING: [&str; 6] = ["date", "content-length", "transfer-encoding", "connection", "upgrade", "content-type"];
    let name = name.to_ascii_lowercase();
    FRAMING.contains(&name.as_str()) || name.starts_with("access-control-")
}

fn header_differences(answer: &Answer, response: &Response<'_>) -> Vec<String> {
    let get = |name: &str| {
        response.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let mut differences = Vec::new();
    let sent = get("Content-Type");
    match answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        Some((_, expected)) if sent != expected.as_deref() => {
            differences.push(format!("its Content-Type is {sent:?}, not {expected:?}"))
        }
        Some(_) => {}
        None => {
            let expected = answer.content_types();
            let right = sent.map_or(expected.is_empty(), |sent| expected.contains(&sent));
            if !right {
                differences.push(format!("its Content-Type is {sent:?}, not {expected:?}"));
            }
        }
    }
    for (name, expected) in answer.headers.iter().filter(|(name, _)| !is_framing(name)) {
        let sent = get(name);
        let right = match expected {
            None => sent.is_none(),
            Some(template) => {
                sent.is_some_and(|sent| Text::parse(template).is_ok_and(|text| text.matches(sent, Tier::Exact)))
            }
        };
        if !right {
            differences.push(format!("its {name} is {sent:?}, not {expected:?}"));
        }
    }
    for (name, _) in response.headers {
        let mut known = answer.headers.keys().chain(answer.additions.keys());
        if !is_framing(name) && !known.any(|known| known.eq_ignore_ascii_case(name)) {
            differences.push(format!("has the header {name}"));
        }
    }
    differences
}
