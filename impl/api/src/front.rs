//! From a request to its handler: version, endpoint, query.

use drydock_spec::{
    EndpointId, Meant, Spec, Version,
    route::{Prefix, split_prefix},
};
use hyper::{
    Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, EXPECT, HeaderValue,
    },
};

use crate::{
    Api,
    call::Call,
    connection::{NoRequest, Request, Response, Slot},
    handlers,
    query::Query,
    reply::{Place, Refusal, Reply, refusal},
};

/// Answers a request.
pub(crate) async fn answer(api: Api, request: Request, slot: Slot) -> Response {
    let mut response = match route(&request) {
        Ok(routed) => dispatch(api.clone(), request, routed, slot).await,
        Err(Unrouted { version, reply }) => unrouted(version, *reply),
    };
    if let Some(origin) = &api.0.cors {
        let headers = &mut response.headers;
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Origin, X-Requested-With, Content-Type, Accept, X-Registry-Auth"),
        );
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, PUT, OPTIONS"));
    }
    response
}

/// The status for bytes that are no request.
pub(crate) fn refuse(what: NoRequest) -> StatusCode {
    let outcome = match what {
        NoRequest::Malformed => "malformed-request",
        NoRequest::HeadTooLarge => "head-too-large",
    };
    unrouted(Version::NEWEST, Reply::new(outcome)).status
}

fn unrouted(version: Version, reply: Reply) -> Response {
    Place { spec: Spec::embedded(), version, endpoint: None, query: &Query::default() }.render(reply)
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

fn route(request: &Request) -> Result<Routed, Unrouted> {
    let newest = |reply: Refusal| Unrouted { version: Version::NEWEST, reply };
    let path = request.path.as_str();
    if request.headers.get(EXPECT).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(newest(refusal("expectation-failed")));
    }
    if request.method == Method::OPTIONS {
        let reference = path.to_owned();
        return Ok(Routed { version: Version::NEWEST, endpoint: EndpointId::SystemOptions, reference });
    }
    let clean = cleaned(path);
    if clean != path {
        return Err(newest(Box::new(Reply::new("path-not-clean").with("path", clean))));
    }
    let (prefix, rest) = split_prefix(path);
    let meant = match prefix {
        Prefix::Absent => Meant::Version(Version::NEWEST),
        Prefix::Known(version) => Meant::Version(version),
        Prefix::Other(number) => Version::meant_by(number),
    };
    let version = if let Meant::Version(version) = meant { version } else { Version::NEWEST };
    let found = Spec::embedded().routes().find(version, request.method.as_str(), rest);
    // Go's `.*` stops at a newline.
    let Some(found) = found.filter(|found| !found.variable.contains('\n')) else {
        return Err(Unrouted { version, reply: refusal("no-such-page") });
    };
    match (meant, prefix) {
        (Meant::Newer, Prefix::Other(asked)) => {
            let reply = Reply::new("newer-version-asked").with("asked", asked);
            return Err(newest(Box::new(reply.with("server", Version::NEWEST.to_string()))));
        }
        (Meant::Older, _) => {
            let reply = Reply::new("older-version-asked").with("oldest", Version::OLDEST.to_string());
            return Err(newest(Box::new(reply)));
        }
        _ => {}
    }
    Ok(Routed { version, endpoint: EndpointId::ALL[found.endpoint], reference: found.variable.to_owned() })
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

async fn dispatch(api: Api, request: Request, routed: Routed, slot: Slot) -> Response {
    let Routed { version, endpoint, reference } = routed;
    let query = Query::parse(&request.query);
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
        headers: request.headers,
        body: Some(request.body),
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
}
