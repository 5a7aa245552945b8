//! From an outcome to a response: status, text, headers and shape are the spec's.

use bytes::Bytes;
use drydock_spec::{
    EndpointId, Spec, Version,
    model::{Answer, Content, Endpoint, Outcome, Tier},
    project::project,
    schema::Context,
    text::Text,
};
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde_json::Value;

use crate::{body::Body, connection::Response, json, query::Query};

/// Values for the places in a text.
pub(crate) type Values = Vec<(&'static str, String)>;

/// What came of a request, as a handler says it.
pub(crate) struct Reply {
    /// The outcome's id in the spec.
    pub(crate) outcome: &'static str,
    /// Which of an outcome's answers in one version, where it has several.
    pub(crate) nth: usize,
    pub(crate) values: Values,
    /// What follows a text of which only the beginning is promised.
    pub(crate) detail: String,
    pub(crate) payload: Payload,
    /// Whether the connection ends with it.
    pub(crate) closes: bool,
}

/// What a response carries.
pub(crate) enum Payload {
    /// The outcome's text, or nothing.
    Told,
    /// The engine's full answer, to be projected to the version's shape.
    Json(Value),
    /// 501.
    Unimplemented,
    /// Bytes or a stream as they are; a content type where the spec leaves it open.
    Body(Body, Option<&'static str>),
}

/// A refusal is a reply without a payload of its own.
pub(crate) type Refusal = Box<Reply>;

/// What a handler gives.
pub(crate) type Answered = Result<Reply, Refusal>;

impl Reply {
    pub(crate) fn new(outcome: &'static str) -> Self {
        Self { outcome, nth: 0, values: Vec::new(), detail: String::new(), payload: Payload::Told, closes: false }
    }

    pub(crate) fn json(outcome: &'static str, value: Value) -> Self {
        Self { payload: Payload::Json(value), ..Self::new(outcome) }
    }

    pub(crate) fn body(outcome: &'static str, body: Body) -> Self {
        Self { payload: Payload::Body(body, None), ..Self::new(outcome) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// A body that goes out in chunks however short it is, as streams of messages do.
    pub(crate) fn chunked(mut self) -> Self {
        if let Payload::Body(body, _) = &mut self.payload {
            *body = std::mem::replace(body, Body::empty()).chunked();
        }
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

impl Reply {
    /// An endpoint that this daemon does not have yet, and says so.
    pub(crate) fn unimplemented() -> Self {
        let mut reply = Self::new("");
        reply.payload = Payload::Unimplemented;
        reply
    }
}

/// An answer that is the last of its connection, if it `closes`.
pub(crate) fn closing(answered: Answered, closes: bool) -> Answered {
    match answered {
        Ok(reply) => Ok(Reply { closes, ..reply }),
        Err(refusal) => Err(Box::new(Reply { closes, ..*refusal })),
    }
}

/// A refusal with this outcome.
pub(crate) fn refusal(outcome: &'static str) -> Refusal {
    Box::new(Reply::new(outcome))
}

/// Where a reply is to be rendered.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) version: Version,
    pub(crate) endpoint: Option<&'a Endpoint>,
    pub(crate) query: &'a Query,
}

impl Place<'_> {
    fn outcome(&self, id: &str) -> Option<&Outcome> {
        let own = self.endpoint.and_then(|endpoint| endpoint.outcome(id));
        own.or_else(|| self.spec.front().iter().find(|outcome| outcome.id == id))
    }

    /// The response. An outcome that the version does not describe is a plain server error that says so: it cannot be
    /// told in the version's words.
    pub(crate) fn render(&self, reply: Reply) -> Response {
        if let Payload::Unimplemented = reply.payload {
            return plain(StatusCode::NOT_IMPLEMENTED, "not implemented by this daemon\n".to_owned());
        }
        let answers = self.outcome(reply.outcome).into_iter();
        let answers = answers.flat_map(|outcome| outcome.answers(self.version, self.version));
        let answers: Vec<&Answer> = answers.map(|(_, answer)| answer).collect();
        match answers.get(reply.nth).or(answers.first()) {
            Some(answer) => self.answer(answer, reply),
            None if reply.detail.is_empty() => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", reply.outcome)),
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{}\n", reply.detail)),
        }
    }

    fn answer(&self, answer: &Answer, reply: Reply) -> Response {
        let values: Vec<(&str, &str)> = reply.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut content_type = answer.content_types().first().copied();
        let body = match reply.payload {
            Payload::Json(value) => Body::whole(json::line(&self.project(answer, value))),
            Payload::Body(body, open) => {
                content_type = open.or(content_type);
                body
            }
            Payload::Told | Payload::Unimplemented if !answer.frames.is_empty() => Body::whole(frames(answer, &values)),
            Payload::Told | Payload::Unimplemented => match &answer.text {
                Some(text) => {
                    let detail = if answer.tier == Tier::Exact { "" } else { &reply.detail };
                    Body::whole(format!("{}{detail}\n", text.render(&values)))
                }
                None => Body::empty(),
            },
        };
        let mut headers = HeaderMap::new();
        let mut guessed_type = None;
        match content_type.map(|name| (name, HeaderValue::from_static(name))) {
            Some((name, _)) if is_guessed(answer) => guessed_type = Some(name),
            Some((_, value)) => drop(headers.insert(CONTENT_TYPE, value)),
            None => {}
        }
        for (name, value) in &answer.additions {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        for (name, value) in &answer.headers {
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            if name == CONTENT_TYPE {
                guessed_type = None;
            }
            match value.as_ref().map(|value| render_header(value, &values)) {
                None => drop(headers.remove(name)),
                Some(Some(value)) => drop(headers.insert(name, value)),
                Some(None) => {}
            }
        }
        let status = StatusCode::from_u16(answer.status.first()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Response { status, headers, guessed_type, body, closes: reply.closes }
    }

    /// The engine's answer in the version's shape.
    pub(crate) fn project(&self, answer: &Answer, value: Value) -> Value {
        let Some(schema) = &answer.schema else { return value };
        let flag = |name: &str| self.query.flag(name);
        project(
            Context { spec: self.spec, version: self.version, asked: self.version, flag: &flag, exact: true },
            schema,
            value,
        )
    }

    /// What the daemon says in a stream of container output; nothing where the version says nothing.
    pub(crate) fn said(&self, reply: &Reply, raw: bool) -> Vec<u8> {
        let answers = self.outcome(reply.outcome).into_iter();
        let answers = answers.flat_map(|outcome| outcome.answers(self.version, self.version));
        let values: Vec<(&str, &str)> = reply.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match answers.map(|(_, answer)| answer).nth(reply.nth) {
            Some(answer) if raw => {
                answer.frames.iter().flat_map(|(_, text)| text.render(&values).into_bytes()).collect()
            }
            Some(answer) => frames(answer, &values),
            None => Vec::new(),
        }
    }

    fn message(&self, outcome: &str, value: Value) -> Bytes {
        let answer = self.outcome(outcome).and_then(|outcome| outcome.answer(self.version, self.version));
        let value = answer.map_or_else(|| Value::Null, |answer| self.project(answer, value));
        json::to_vec(&value).into()
    }
}

/// One message of a stream of JSON in the shape that an endpoint's outcome has in a version.
pub(crate) fn message(version: Version, endpoint: EndpointId, outcome: &str, value: Value) -> Bytes {
    let spec = Spec::embedded();
    let query = Query::default();
    Place { spec, version, endpoint: Some(spec.endpoint(endpoint)), query: &query }.message(outcome, value)
}

fn frames(answer: &Answer, values: &[(&str, &str)]) -> Vec<u8> {
    let frame = |(stream, text): &(u8, Text)| {
        let payload = text.render(values).into_bytes();
        // Of a spec's text: far below what the length may say.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[*stream, 0, 0, 0], &length[..], &payload].concat()
    };
    answer.frames.iter().flat_map(frame).collect()
}

fn render_header(template: &str, values: &[(&str, &str)]) -> Option<HeaderValue> {
    let text = Text::parse(template).ok()?.render(values);
    HeaderValue::from_str(&text).ok()
}

/// Whether a genuine daemon left the content type to its server, which put what it guessed behind the length: it did
/// with all that is neither JSON, an archive, nor the text of an error.
fn is_guessed(answer: &Answer) -> bool {
    matches!(answer.content(), Content::None | Content::Stdio | Content::Bytes)
}

/// A text that no spec describes.
pub(crate) fn plain(status: StatusCode, text: String) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Response { status, headers, guessed_type: None, body: Body::whole(text), closes: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Length;

    fn rendered(endpoint: EndpointId, version: &str, reply: Reply) -> Response {
        let spec = Spec::embedded();
        let query = Query::default();
        let version = version.parse().unwrap();
        Place { spec, version, endpoint: Some(spec.endpoint(endpoint)), query: &query }.render(reply)
    }

    #[test]
    fn ping_tells_its_version_to_clients_that_negotiate_by_it() {
        let response = rendered(EndpointId::SystemPing, "1.19", Reply::body("answered", Body::whole("OK")));
        assert_eq!(response.headers["api-version"], "1.19");
        assert_eq!(response.headers["ostype"], "linux");
    }

    #[test]
    fn an_outcome_is_told_in_the_words_and_status_of_its_version() {
        let missing = || Reply::new("no-such-container").with("reference", "web");
        let old = rendered(EndpointId::ContainersStop, "1.17", missing());
        let new = rendered(EndpointId::ContainersStop, "1.18", missing());
        assert_eq!((old.status, new.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
        let length = |response: &Response| response.body.length();
        assert_eq!(length(&old), Length::Known("No such container: web\n".len() as u64));
        assert_eq!(length(&new), Length::Known("no such id: web\n".len() as u64));
    }

    #[test]
    fn of_several_answers_the_one_that_is_meant_is_told() {
        let reply = |nth| Reply { nth, ..Reply::new("program-not-found").with("program", "x").with("path", "x") };
        let length = |nth| {
            let response = rendered(EndpointId::ContainersStart, "1.19", reply(nth).with("reference", "web"));
            response.body.length()
        };
        assert_ne!(length(0), length(1));
        // One more than there are: the first.
        assert_eq!(length(9), length(0));
    }
}
