//! Container names of the scripts on a daemon that serves others too: each gets the run's prefix.

use std::borrow::Cow;

use serde_json::Value;

use crate::exchange::{Request, RequestBody};

/// How the scripts' container names are written on the target.
#[derive(Clone, Debug, Default)]
pub struct Naming {
    /// What stands before each; nothing on a daemon of our own.
    prefix: String,
}

impl Naming {
    /// Names as they were recorded.
    pub fn recorded() -> Self {
        Self::default()
    }

    /// Each name behind a prefix.
    pub fn prefixed(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The prefix; empty on a daemon of our own.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name on the target, where a script's object may have one: nothing that could not be a name changes.
    fn of<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let (slash, bare) = match name.strip_prefix('/') {
            Some(bare) => ("/", bare),
            None => ("", name),
        };
        let named = bare.len() > 1
            && bare.len() < 40
            && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            && bare.as_bytes()[0].is_ascii_alphanumeric()
            // An id, or the beginning of one.
            && !(bare.len() >= 10 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if named { Cow::Owned(format!("{slash}{}{bare}", self.prefix)) } else { Cow::Borrowed(name) }
    }

    /// Rewrites the names in a request, in the places where the API takes one.
    pub(super) fn apply(&self, mut request: Request) -> Request {
        if self.prefix.is_empty() || request.raw.is_some() {
            return request;
        }
        let (path, query) =
            request.target.split_once('?').map_or((request.target.as_str(), None), |(p, q)| (p, Some(q)));
        let mut segments: Vec<Cow<'_, str>> = path.split('/').map(Cow::Borrowed).collect();
        if let Some(at) = segments.iter().position(|segment| segment == "containers")
            && at + 1 < segments.len()
            && !["json", "ps", "create"].contains(&segments[at + 1].as_ref())
        {
            segments[at + 1] = Cow::Owned(self.of(&segments[at + 1]).into_owned());
        }
        let mut target = segments.join("/");
        if let Some(query) = query {
            let is_image = path.contains("/images/") || path.ends_with("/build");
            let pairs = query.split('&').map(|pair| match pair.split_once('=') {
                Some((key @ ("name" | "container" | "since" | "before"), value)) if !is_image => {
                    format!("{key}={}", self.of(value))
                }
                _ => pair.to_owned(),
            });
            target = format!("{target}?{}", pairs.collect::<Vec<_>>().join("&"));
        }
        request.target = target;
        if let RequestBody::Bytes(bytes) = &request.body
            && let Ok(mut body) = serde_json::from_slice::<Value>(bytes)
        {
            let before = body.clone();
            self.rewrite(&mut body);
            if body != before {
                request.body = RequestBody::Bytes(body.to_string().into_bytes());
            }
        }
        request
    }

    fn rewrite(&self, value: &mut Value) {
        let Value::Object(map) = value else { return };
        for (key, value) in map {
            match (key.as_str(), value) {
                ("Links" | "VolumesFrom", Value::Array(items)) => {
                    for item in items {
                        if let Value::String(text) = item {
                            let (name, rest) =
                                text.split_once(':').map_or((text.as_str(), None), |(n, r)| (n, Some(r)));
                            // A link without an alias takes its name for one.
                            let rest = rest.or((key == "Links").then_some(name));
                            *text = rest
                                .map_or_else(|| self.of(name).into_owned(), |rest| format!("{}:{rest}", self.of(name)));
                        }
                    }
                }
                ("NetworkMode" | "IpcMode" | "PidMode", Value::String(text)) => {
                    if let Some(name) = text.strip_prefix("container:") {
                        *text = format!("container:{}", self.of(name));
                    }
                }
                ("HostConfig", inner) => self.rewrite(inner),
                _ => {}
            }
        }
    }

    /// A text of the target in the scripts' names.
    pub(super) fn undo<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.prefix.is_empty() && text.contains(&self.prefix) {
            Cow::Owned(text.replace(&self.prefix, ""))
        } else {
            Cow::Borrowed(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_the_prefix_where_the_api_takes_names() {
        let naming = Naming::prefixed("run-");
        for (target, expected) in [
            ("/v1.19/containers/ws/attach/ws?stream=1", "/v1.19/containers/run-ws/attach/ws?stream=1"),
            ("/v1.19/containers/create?name=a1", "/v1.19/containers/create?name=run-a1"),
            ("/v1.19/containers/json?all=1", "/v1.19/containers/json?all=1"),
            ("/v1.19/containers/0123456789ab/json", "/v1.19/containers/0123456789ab/json"),
            ("/v1.19/images/busybox/json", "/v1.19/images/busybox/json"),
        ] {
            assert_eq!(naming.apply(Request::new("GET", target)).target, expected);
        }
        let body = serde_json::json!({"HostConfig": {"Links": ["db:alias", "db"], "NetworkMode": "container:db"}, "Image": "db"});
        let RequestBody::Bytes(bytes) = naming.apply(Request::new("POST", "/x").json(&body)).body else { panic!() };
        assert_eq!(
            serde_json::from_slice::<Value>(&bytes).unwrap(),
            serde_json::json!({"HostConfig": {"Links": ["run-db:alias", "run-db:db"], "NetworkMode": "container:run-db"}, "Image": "db"})
        );
        assert_eq!(naming.undo("no such id: run-a1"), "no such id: a1");
    }
}
