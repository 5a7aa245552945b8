//! A request on its way to its handler: routed, its query read, its body still to come.

use drydock_spec::{
    EndpointId, Spec, Version,
    model::{Decoder, Schema},
};
use hyper::{HeaderMap, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    Api,
    body::{self, Broken},
    connection::{Incoming, Slot},
    decode::{self, Refused, Shape},
    policy::Policy,
    query::Query,
    reply::{Place, Refusal, Reply, refusal},
};

/// A request.
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) version: Version,
    pub(crate) endpoint: EndpointId,
    /// What the path's variable held: a container, an image, an exec.
    pub(crate) reference: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// `None` once it was taken.
    pub(crate) body: Option<Incoming>,
    pub(crate) slot: Slot,
}

impl Call {
    pub(crate) fn spec(&self) -> &'static Spec {
        Spec::embedded()
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy(self.version)
    }

    /// A header's text; empty where it is absent or no text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// An integer; what cannot be read is refused with `outcome`, whose answers are "invalid syntax" and, where there
    /// is a second, "value out of range".
    pub(crate) fn strict(&self, name: &'static str, outcome: &'static str) -> Result<Option<i64>, Refusal> {
        let text = self.query.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
            use std::num::IntErrorKind::{NegOverflow, PosOverflow};
            let nth = usize::from(matches!(error.kind(), PosOverflow | NegOverflow));
            Box::new(Reply { nth, ..Reply::new(outcome).with(name, text).with("size", text).with("time", text) })
        })
    }

    /// Refuses a body whose content type is not JSON's. Without a body none is needed, unless `always`.
    pub(crate) fn expect_json(&self, always: bool) -> Result<(), Refusal> {
        if !always && !self.headers.contains_key(CONTENT_TYPE) && !self.has_body() {
            return Ok(());
        }
        let sent = self.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let sent = sent.as_deref().unwrap_or_default();
        let mut parts = sent.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        // A parameter without a value makes the whole type malformed.
        let well_formed = parts.all(|parameter| parameter.is_empty() || parameter.contains('='));
        if (media.eq_ignore_ascii_case("application/json") && well_formed) || !self.answers("wrong-content-type") {
            return Ok(());
        }
        Err(Box::new(Reply::new("wrong-content-type").with("type", sent)))
    }

    /// What the daemon says in a stream of container output, framed unless the client reads raw.
    pub(crate) fn said(&self, reply: &Reply, raw: bool) -> Vec<u8> {
        let (spec, query) = (self.spec(), &self.query);
        Place { spec, version: self.version, endpoint: Some(spec.endpoint(self.endpoint)), query }.said(reply, raw)
    }

    /// Whether the version has an answer for an outcome.
    pub(crate) fn answers(&self, outcome: &str) -> bool {
        self.spec().endpoint(self.endpoint).answer(outcome, self.version).is_some()
    }

    /// Whether there is a body of which something is left.
    pub(crate) fn has_body(&self) -> bool {
        self.body.as_ref().is_some_and(|body| !body.is_end())
    }

    /// The body, to be read as a stream. Nothing where it was taken before.
    pub(crate) fn take_body(&mut self) -> Option<Incoming> {
        self.body.take()
    }

    /// The body as it came.
    pub(crate) async fn bytes(&mut self) -> Result<Vec<u8>, Refusal> {
        let form = self.header(CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded");
        let Some(body) = &self.body else { return Ok(Vec::new()) };
        let read = body::read(body).await;
        // A form's body was read as one, and nothing of it left for who comes after.
        read.map(|bytes| if form { Vec::new() } else { bytes }).map_err(|broken| match broken {
            Broken::Framing => refusal("chunk-malformed"),
            Broken::TooLarge => Box::new(Reply::new("body-not-json").detail("too large")),
        })
    }

    /// The body as the version's decoder reads it.
    pub(crate) async fn object(&mut self) -> Result<Map<String, Value>, Refusal> {
        let bytes = self.bytes().await?;
        self.decode(&bytes)
    }

    /// Reads bytes with the version's decoder and shape.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
        let endpoint = self.spec().endpoint(self.endpoint);
        let body = endpoint.body.iter().find(|body| body.versions.contains(self.version));
        match body.and_then(|body| body.schema.as_ref()) {
            Some(schema) => self.decode_as(schema, bytes),
            None => Ok(Map::new()),
        }
    }

    /// Reads bytes with the version's decoder and this shape.
    pub(crate) fn decode_as(&self, schema: &Schema, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
        let Some(decoder) = self.decoder() else { return Ok(Map::new()) };
        decode::object(decoder, Shape { spec: self.spec(), version: self.version, schema }, bytes).map_err(refuse_body)
    }

    /// Which decoder the version has here.
    pub(crate) fn decoder(&self) -> Option<Decoder> {
        let endpoint = self.spec().endpoint(self.endpoint);
        endpoint.body.iter().find(|body| body.versions.contains(self.version)).map(|body| body.decoder)
    }

    /// A `filters` parameter: texts by key, of the keys that the version knows.
    pub(crate) fn filters(&self, name: &str) -> Result<Filters, Refusal> {
        let text = self.query.text(name);
        let endpoint = self.spec().endpoint(self.endpoint);
        let parameter = endpoint.query.iter().find(|known| known.name == name && known.versions.contains(self.version));
        if text.is_empty() || parameter.is_none() {
            return Ok(Filters(Map::new()));
        }
        let map = match decode::document(text.as_bytes()) {
            Ok(Value::Object(map)) => map,
            Ok(Value::Null) => Map::new(),
            Ok(other) => return Err(wrong_filter(&other, "filters.Args")),
            Err(Refused::Truncated | Refused::Absent) => return Err(refusal("filters-truncated")),
            Err(refused) => return Err(Box::new(Reply::new("filters-not-json").detail(refused.to_string()))),
        };
        for values in map.values() {
            match values {
                Value::Array(values) => {
                    if let Some(value) = values.iter().find(|value| !value.is_string() && !value.is_null()) {
                        return Err(wrong_filter(value, "string"));
                    }
                }
                Value::Null => {}
                other => return Err(wrong_filter(other, "[]string")),
            }
        }
        let known = |key: &str| {
            parameter.is_some_and(|known| {
                known.keys.iter().any(|known| known.name == key && known.versions.contains(self.version))
            })
        };
        let refuses = parameter.is_some_and(|known| known.unknown == Some(drydock_spec::model::UnknownKey::Error));
        if let Some(key) = map.keys().find(|key| refuses && !known(key)) {
            return Err(Box::new(Reply::new("filter-unknown").with("filter", key.clone())));
        }
        Ok(Filters(map.into_iter().filter(|(key, _)| known(key)).collect()))
    }
}

fn wrong_filter(value: &Value, wanted: &'static str) -> Refusal {
    let refused = Refused::WrongType { found: decode::kind(value), wanted };
    Box::new(Reply::new("filters-wrong-type").detail(refused.to_string()))
}

fn refuse_body(refused: Refused) -> Refusal {
    let outcome = match refused {
        Refused::Absent => "body-absent",
        Refused::Truncated => "body-truncated",
        Refused::NotJson(_) => "body-not-json",
        Refused::WrongType { .. } => "body-wrong-type",
    };
    Box::new(Reply::new(outcome).detail(refused.to_string()))
}

/// Values of filters by key.
#[derive(Debug)]
pub(crate) struct Filters(Map<String, Value>);

impl Filters {
    /// A key's values.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let values = self.0.get(key).and_then(Value::as_array);
        values.into_iter().flatten().map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// What a decoded body says, as a command's type. The decoder has given every value its type already, so that what
/// does not read is a value out of its type's range.
pub(crate) fn typed<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(map))
        .map_err(|error| Box::new(Reply::new("body-wrong-type").detail(error.to_string())))
}
