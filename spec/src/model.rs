//! What the files under `endpoints/`, `types/` and beside them say, as types. `FORMAT.md` explains each key.
//!
//! Everything here is data: unknown keys and values are refused when a file is read, meaning is checked by
//! [`check`](crate::check).

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::Value;

mod shape;

pub use shape::{Kind, Presence, Properties, Schema};

use crate::{
    text::Text,
    version::{Range, Version},
};

/// An id of `clauses.tsv`, e.g. `api.containers.rename.004`.
pub type ClauseId = String;

/// One endpoint in every version it has: one file of `endpoints/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Group and name, equal to the file's name: `containers.rename`.
    pub id: String,
    /// The HTTP method, upper case.
    pub method: String,
    /// The path below the version prefix; `{name}` matches anything, slashes and nothing included (as gorilla's
    /// `{name:.*}` did in the genuine daemons).
    pub path: String,
    /// The versions that have the endpoint.
    #[serde(default = "all")]
    pub versions: Range,
    /// Clauses that say no more than that the endpoint exists.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
    /// Query parameters.
    #[serde(default)]
    pub query: Vec<Parameter>,
    /// Request headers that mean something.
    #[serde(default)]
    pub headers: Vec<Parameter>,
    /// How the request's body is read, per range.
    #[serde(default)]
    pub body: Vec<RequestBody>,
    /// What can come of a request; the order is the precedence.
    pub outcomes: Vec<Outcome>,
    /// A source for what no exchange exercises.
    #[serde(default)]
    pub note: Option<String>,
}

fn all() -> Range {
    Range::ALL
}

/// A query parameter or a request header.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// As it is written in the request.
    pub name: String,
    /// How its text is read.
    #[serde(rename = "type")]
    pub kind: ParameterKind,
    /// The versions that read it.
    #[serde(default = "all")]
    pub versions: Range,
    /// What stands for an absent parameter, in words of the API (`false`, `0`, `all`).
    #[serde(default)]
    pub default: Option<Value>,
    /// Whether it may be given more than once.
    #[serde(default)]
    pub repeated: bool,
    /// Keys of a `filters` parameter.
    #[serde(default)]
    pub keys: Vec<FilterKey>,
    /// What an unknown key of a `filters` parameter does.
    #[serde(default)]
    pub unknown: Option<UnknownKey>,
    /// Clauses about the parameter.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
    /// A source for what no exchange exercises.
    #[serde(default)]
    pub note: Option<String>,
}

/// How a parameter's text is read; the names say the leniency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterKind {
    /// Any text.
    String,
    /// False for nothing, `0`, `no`, `false`, `none` (case and blanks ignored); all else is true.
    Gobool,
    /// A decimal integer; what cannot be read counts as absent.
    IntLenient,
    /// A decimal integer; what cannot be read is an error.
    IntStrict,
    /// Unix seconds, possibly with a fraction.
    Timestamp,
    /// A JSON object of arrays of strings.
    Filters,
    /// A JSON document.
    Json,
    /// JSON in URL-safe base64 (`X-Registry-Auth`).
    Base64Json,
}

/// A key of a `filters` parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterKey {
    /// The key.
    pub name: String,
    /// The versions that know it.
    #[serde(default = "all")]
    pub versions: Range,
    /// Values it may take, where they are a closed set.
    #[serde(default)]
    pub values: Vec<String>,
    /// Clauses about it.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
}

/// What an unknown filter key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownKey {
    /// Nothing.
    Ignored,
    /// The request fails.
    Error,
}

/// How a request's body is read in a range of versions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// The versions that read it so.
    #[serde(default = "all")]
    pub versions: Range,
    /// The reader.
    pub decoder: Decoder,
    /// What a body that is absent or no JSON does.
    #[serde(default)]
    pub broken: BrokenBody,
    /// Its shape.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Clauses about the body as a whole.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
}

/// The two JSON decoders that the genuine daemons had, and the bodies that are no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// Keys match by case, scalars are coerced (`Cmd: 5` is `["5"]`).
    Env,
    /// Go's `encoding/json`: keys ignore case, null is absent, unknown keys are ignored, wrong types are errors.
    Go,
    /// A tar archive, plain or compressed.
    Tar,
    /// Bytes.
    Raw,
}

/// What a broken or absent JSON body does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenBody {
    /// The request fails.
    #[default]
    Error,
    /// It counts as an empty object.
    Ignored,
}

/// One thing that can come of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Unique in its endpoint: `no-such-container`.
    pub id: String,
    /// Takes `when` and `by` of the outcome with this name in `outcomes.json`; clauses add up.
    #[serde(rename = "use", default)]
    pub shared: Option<String>,
    /// What brings it about.
    #[serde(default)]
    pub when: When,
    /// The versions that have it.
    #[serde(default = "all")]
    pub versions: Range,
    /// The answers, per range.
    #[serde(default)]
    pub by: Vec<Answer>,
    /// Clauses that it shows.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
    /// A source for what no exchange exercises.
    #[serde(default)]
    pub note: Option<String>,
    /// A ruling that speaks of it.
    #[serde(default)]
    pub ruling: Option<String>,
}

/// What brings an outcome about: all of the conditions together. Empty is `"ok"`: nothing is amiss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct When(pub BTreeMap<String, Condition>);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OkOrConditions;

        impl<'de> Visitor<'de> for OkOrConditions {
            type Value = When;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"ok\" or an object of conditions")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<When, E> {
                if word == "ok" { Ok(When::default()) } else { Err(E::invalid_value(Unexpected::Str(word), &self)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<When, A::Error> {
                let mut conditions = BTreeMap::new();
                while let Some(subject) = map.next_key::<String>()? {
                    if !is_subject(&subject) {
                        return Err(A::Error::custom(format!("unknown subject {subject:?}")));
                    }
                    conditions.insert(subject, map.next_value()?);
                }
                Ok(When(conditions))
            }
        }

        from.deserialize_any(OkOrConditions)
    }
}

/// The things that a [`When`] may speak of.
fn is_subject(key: &str) -> bool {
    const PLAIN: [&str; 13] = [
        "container",
        "image",
        "exec",
        "body",
        "request",
        "host",
        "registry",
        "linked",
        "device",
        "volume",
        "stream",
        "archive",
        "path",
    ];
    PLAIN.contains(&key)
        || ["query.", "body.", "header."].iter().any(|root| key.len() > root.len() && key.starts_with(root))
}

/// How a subject of a [`When`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The reference names nothing.
    Missing,
    /// The reference's prefix fits more than one.
    Ambiguous,
    /// Created and never started.
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Ended.
    Exited,
    /// Any state but running.
    NotRunning,
    /// Waiting for its restart.
    Restarting,
    /// The parameter, body or header is not there.
    Absent,
    /// It is there and empty.
    Empty,
    /// It cannot be read as what it should be.
    Malformed,
    /// The body is no JSON.
    NotJson,
    /// A value has the wrong type.
    WrongType,
    /// It can be read, and its value is not allowed.
    Invalid,
    /// It names something that is not there.
    Unknown,
    /// It names the container that the request is about.
    Own,
    /// The name is in use.
    Taken,
    /// Something else uses it.
    InUse,
    /// Several names or tags refer to it.
    Shared,
    /// The value is true or present where it usually is not.
    Set,
    /// Below the least value.
    TooSmall,
    /// It has a terminal.
    Tty,
    /// The content type is wrong.
    WrongContentType,
    /// The other side cannot be reached or refuses.
    Unreachable,
    /// The machine or driver cannot do it.
    Unsupported,
    /// The operation fails on the way.
    Fails,
}

/// An outcome's answer in a range of versions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The versions (of the daemon) that answer so.
    #[serde(default = "all")]
    pub versions: Range,
    /// The prefixes under which it answers so; all if absent. Only for what a genuine daemon made depend on the prefix.
    #[serde(default)]
    pub asked: Option<Range>,
    /// The status; several where the genuine daemon was random.
    pub status: Status,
    /// What follows the head; by default `text` where `text` is given, `json` where `schema` is, else `none`.
    #[serde(default)]
    pub content: Option<Content>,
    /// The text without its final newline; `{name}` stands for a value.
    #[serde(default)]
    pub text: Option<Text>,
    /// How much of the text is promised.
    #[serde(rename = "match", default)]
    pub tier: Tier,
    /// What the daemon itself says in a stream of container output: per frame its stream (1 stdout, 2 stderr) and its
    /// text, final newline included. Where the client reads raw, the texts alone.
    #[serde(default)]
    pub frames: Vec<(u8, Text)>,
    /// The body's shape, or one message's shape in a stream of JSON.
    #[serde(default)]
    pub schema: Option<Schema>,
    /// Response headers beside `Date`, framing and the `Content-Type` that the content implies; null: the header is
    /// not sent though the content implies it.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// Headers that no genuine daemon sends and a ruling adds: right to send, and right to leave out.
    #[serde(default)]
    pub additions: BTreeMap<String, String>,
    /// Clauses that it shows.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
    /// A source for what no exchange exercises.
    #[serde(default)]
    pub note: Option<String>,
}

/// One status, or a set of them where the genuine daemon was random. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status(Vec<u16>);

impl Status {
    /// Whether `status` is one of these.
    pub fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }

    /// The status to send: of a set the first.
    pub fn first(&self) -> u16 {
        self.0[0]
    }

    /// All of them.
    pub fn all(&self) -> &[u16] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let OneOrMany(set) = OneOrMany::<u16>::deserialize(from)?;
        match set.iter().find(|status| !(100..600).contains(*status)) {
            _ if set.is_empty() => Err(D::Error::custom("an empty set of statuses")),
            Some(status) => Err(D::Error::custom(format!("{status} is no HTTP status"))),
            None => Ok(Status(set)),
        }
    }
}

/// What follows a response's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Nothing.
    None,
    /// Plain text.
    Text,
    /// One JSON document.
    Json,
    /// JSON documents one after another, one a chunk.
    JsonLines,
    /// Container output: 8-byte frames without a terminal, raw with one.
    Stdio,
    /// The same on a hijacked connection.
    Hijack,
    /// A tar archive.
    Tar,
    /// Websocket messages.
    Websocket,
    /// Bytes.
    Bytes,
}

/// How much of a text is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// All of it.
    #[default]
    Exact,
    /// Its beginning.
    Prefix,
    /// Nothing: a genuine daemon leaks an internal there.
    Free,
}

/// One value or a list of them in a file.
struct OneOrMany<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one or a list")
            }

            fn visit_u64<E: serde::de::Error>(self, one: u64) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrMany(vec![one]))
            }

            fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Self::Value, E> {
                T::deserialize(one.into_deserializer()).map(|one| OneOrMany(vec![one]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
            }
        }

        from.deserialize_any(Either(PhantomData))
    }
}

/// An outcome that several endpoints share, in `outcomes.json` under its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedOutcome {
    /// What brings it about.
    #[serde(default)]
    pub when: When,
    /// The answers, per range.
    pub by: Vec<Answer>,
}

/// A named difference between versions that no schema shows: a line of `behaviours.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BehaviourEntry {
    /// `attach.answers-101`: what is so in the range.
    pub name: String,
    /// The versions in which it is so.
    pub versions: Range,
    /// What it means for a client.
    pub means: String,
    /// Where it shows: `daemon-file#seq`, a scenario, or a source.
    pub evidence: Vec<String>,
    /// Clauses that it shows.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
}

/// A decision against a recording or a document: an entry of `rulings.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// `logs.last-line-without-newline`.
    pub id: String,
    /// The versions it holds for.
    #[serde(default = "all")]
    pub versions: Range,
    /// What the documents say.
    pub documented: String,
    /// What the genuine daemons do.
    pub observed: String,
    /// What the spec keeps.
    pub kept: String,
    /// Why.
    pub why: String,
    /// Clauses that are documented otherwise because of it.
    #[serde(default)]
    pub clauses: Vec<ClauseId>,
    /// Recorded exchanges that the spec judges wrong because of it: `FILE SCENARIO/STEP`, `*` allowed in each.
    #[serde(default)]
    pub exchanges: Vec<String>,
    /// Recorded observations that it judges wrong, or the machine's: `SCENARIO/STEP`, `*` allowed.
    #[serde(default)]
    pub observations: Vec<String>,
    /// Recorded exchanges that are of the described kind and yet wrong, with what is right in the ruling's versions.
    #[serde(default)]
    pub right: Vec<RightAnswer>,
    /// Recorded exchanges that are of the described kind, and whose content is chance: the same request may bring
    /// another.
    #[serde(default)]
    pub chance: Vec<String>,
}

/// What a recorded exchange should have been.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RightAnswer {
    /// As in [`Ruling::exchanges`].
    pub exchanges: Vec<String>,
    /// The version whose daemon answers the same step of the same scenario rightly.
    #[serde(rename = "as", default)]
    pub as_in: Option<Version>,
    /// The right output behind the recorded head: stream and text of each frame.
    #[serde(default)]
    pub output: Vec<(u8, String)>,
}
