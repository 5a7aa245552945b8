//! From a request to its handler: version, endpoint, query.

use drydock_spec::{
    EndpointId, Spec, Version,
    route::{Prefix, split_prefix},
};
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, EXPECT, HeaderValue,
    },
};

use crate::{
    Api,
    body::Body,
    call::Call,
    connection::Slot,
    handlers,
    query::{Query, unescape},
    reply::{Place, Refusal, Reply, refusal},
};

/// Answers a request.
pub(crate) async fn answer(api: Api, request: Request<Incoming>, slot: Slot) -> Response<Body> {
    let mut response = match route(&request) {
        Ok(routed) => dispatch(api.clone(), request, routed, slot).await,
        Err(Unrouted { version, reply }) => {
            Place { spec: Spec::embedded(), version, endpoint: None, query: &Query::default() }.render(*reply)
        }
    };
    if let Some(origin) = &api.0.cors {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth"),
        );
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, PUT, OPTIONS"));
    }
    response
}

struct Routed {
    version: Version,
    endpoint: EndpointId,
    reference: String,
}

/// What comes before any endpoint, told by the daemon of a version.
struct Unrouted {
    version: Version,
    reply: Refusal,
}

fn route(request: &Request<Incoming>) -> Result<Routed, Unrouted> {
    let newest = |reply: Refusal| Unrouted { version: Version::NEWEST, reply };
    if request.headers().get(EXPECT).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(newest(refusal("expectation-failed")));
    }
    let raw = request.uri().path();
    let path = unescape(raw, false).map_err(|_| newest(refusal("malformed-request")))?;
    if request.method() == Method::OPTIONS {
        return Ok(Routed { version: Version::NEWEST, endpoint: EndpointId::SystemOptions, reference: path });
    }
    if !path.starts_with('/') {
        return Err(newest(refusal("malformed-request")));
    }
    let clean = cleaned(&path);
    if clean != path {
        return Err(newest(Box::new(Reply::new("path-not-clean").with("path", clean))));
    }
    let (prefix, rest) = split_prefix(&path);
    let version = match prefix {
        Prefix::Absent => Version::NEWEST,
        Prefix::Known(version) => version,
        Prefix::Other(number) => spelled_otherwise(number).unwrap_or(Version::NEWEST),
    };
    let found = Spec::embedded().routes().find(version, request.method().as_str(), rest);
    // Go's `.*` stops at a newline.
    let Some(found) = found.filter(|found| !found.variable.contains('\n')) else {
        return Err(Unrouted { version, reply: refusal("no-such-page") });
    };
    if let Prefix::Other(asked) = prefix
        && spelled_otherwise(asked).is_none()
    {
        return Err(newest(Box::new(mismatched(asked))));
    }
    Ok(Routed { version, endpoint: EndpointId::ALL[found.endpoint], reference: found.variable.to_owned() })
}

/// A version that is meant though it is written with zeros, as `1.014`.
fn spelled_otherwise(number: &str) -> Option<Version> {
    let parts = parts(number);
    drydock_spec::VERSIONS.into_iter().find(|version| parts == [1, u64::from(version.minor())])
}

fn parts(number: &str) -> Vec<u64> {
    number.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// A version that this daemon does not have: above its newest or below its oldest, compared part by part.
fn mismatched(asked: &str) -> Reply {
    let newest = Version::NEWEST.to_string();
    if parts(asked) > parts(&newest) {
        Reply::new("newer-version-asked").with("asked", asked).with("server", newest)
    } else {
        Reply::new("older-version-asked").with("oldest", Version::OLDEST.to_string())
    }
}

/// The path without `//`, `.` and `..`, as Go's `path.Clean` has it; a final slash stays.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut clean = format!("/{}", parts.join("/"));
    if path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    clean
}

async fn dispatch(api: Api, request: Request<Incoming>, routed: Routed, slot: Slot) -> Response<Body> {
    let Routed { version, endpoint, reference } = routed;
    let (head, body) = request.into_parts();
    let query = Query::parse(head.uri.query().unwrap_or_default());
    let spec = Spec::embedded();
    let query = match query {
        Ok(query) => query,
        Err(escape) => {
            let reply = Reply::new("query-malformed").with("escape", escape.0);
            return Place { spec, version, endpoint: Some(spec.endpoint(endpoint)), query: &Query::default() }
                .render(reply);
        }
    };
    let call = Call {
        api,
        version,
        endpoint,
        reference: reference.clone(),
        query: query.clone(),
        headers: head.headers,
        body: Some(body),
        slot,
    };
    let mut reply = match handlers::handle(call).await {
        Ok(reply) => reply,
        Err(refusal) => *refusal,
    };
    reply.values.push(("reference", reference));
    Place { spec, version, endpoint: Some(spec.endpoint(endpoint)), query: &query }.render(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_did() {
        for (path, clean) in [
            ("//version", "/version"),
            ("/x/../version", "/version"),
            ("/./version", "/version"),
            ("/version/", "/version/"),
            ("/", "/"),
            ("/containers/../json", "/json"),
            ("/..", "/"),
        ] {
            assert_eq!(cleaned(path), clean, "{path}");
        }
    }

    #[test]
    fn versions_outside_are_newer_or_older() {
        assert_eq!(mismatched("1.99").outcome, "newer-version-asked");
        assert_eq!(mismatched("2").outcome, "newer-version-asked");
        assert_eq!(mismatched("1.13").outcome, "older-version-asked");
        assert_eq!(mismatched("0.9").outcome, "older-version-asked");
    }
}
