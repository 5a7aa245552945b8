//! Requests made from the spec alone: for each outcome whose `when` the suite knows how to bring about, a request that
//! is right in all else.

use std::collections::HashMap;

use drydock_spec::{
    Spec, Version,
    model::{Condition, Decoder, Endpoint, Outcome, ParameterKind},
};

use crate::exchange::{Exchange, Request, RequestBody};

/// Stands in a probe's target for the object that it needs.
pub const OBJECT: &str = "{object}";

/// A request and the outcome that it calls for.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The endpoint's id.
    pub endpoint: String,
    /// The outcome's id.
    pub outcome: String,
    /// A container that has to be there, whose name stands for [`OBJECT`] in the target.
    pub needs: Option<ContainerState>,
    /// What to send.
    pub request: Request,
}

/// A state that a container can be brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Paused.
    Paused,
    /// Ended.
    Exited,
}

/// Requests that did what they are for, by endpoint: a probe differs from them in what its outcome is about.
pub type RightRequests = HashMap<String, Request>;

/// The first request of each endpoint that succeeded among these exchanges.
pub fn right_requests<'e>(
    spec: &Spec,
    version: Version,
    exchanges: impl Iterator<Item = &'e Exchange>,
) -> RightRequests {
    let mut right = RightRequests::new();
    for exchange in exchanges.filter(|exchange| exchange.request.raw.is_none()) {
        let judged = crate::judging::judge(spec, version, exchange, drydock_spec::judge::Level::Exact);
        if let (Some(endpoint), crate::judging::Standing::Is(candidate)) = (judged.endpoint, &judged.ruling)
            && !candidate.front
            && candidate.outcome.when.0.is_empty()
        {
            right.entry(endpoint.id.clone()).or_insert_with(|| {
                let mut request = exchange.request.clone();
                // A probe may have another body.
                request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Length"));
                request
            });
        }
    }
    right
}

/// The probes of a version.
pub fn probes(spec: &Spec, version: Version, right: &RightRequests) -> Vec<Probe> {
    let endpoints = spec.endpoints().iter().filter(|endpoint| endpoint.versions.contains(version));
    endpoints
        .flat_map(|endpoint| {
            let outcomes = endpoint.outcomes.iter().filter(|outcome| outcome.answer(version, version).is_some());
            outcomes.filter_map(move |outcome| probe(version, endpoint, outcome, right.get(&endpoint.id)?))
        })
        .collect()
}

fn probe(version: Version, endpoint: &Endpoint, outcome: &Outcome, right: &Request) -> Option<Probe> {
    if outcome.when.0.is_empty() {
        return None;
    }
    let mut request = right.clone();
    request.stdin.clear();
    let mut needs = endpoint.path.starts_with("/containers/{").then_some(ContainerState::Running);
    let mut variable = needs.map(|_| OBJECT);
    if endpoint.path.starts_with("/images/{") {
        variable = Some("busybox");
    }
    for (subject, condition) in &outcome.when.0 {
        match (subject.as_str(), condition) {
            ("container", Condition::Missing) if variable.is_some() => {
                needs = None;
                variable = Some("nosuch");
            }
            ("container", state) if needs.is_some() => needs = Some(container(*state)?),
            ("image", Condition::Missing) if endpoint.path.starts_with("/images/{") => variable = Some("nosuch"),
            ("exec", Condition::Missing) if endpoint.path.starts_with("/exec/{") => variable = Some("nosuch"),
            ("body", condition) => body(version, endpoint, &mut request, *condition)?,
            ("header.Content-Type", Condition::Invalid) => set_header(&mut request, "Content-Type", "text/plain")?,
            (subject, condition) => {
                let name = subject.strip_prefix("query.")?;
                let parameter = endpoint.query.iter().find(|p| p.name == name && p.versions.contains(version))?;
                let value = query_value(parameter.kind, name, *condition)?;
                set_query(&mut request, name, value);
            }
        }
    }
    // Without a variable of its own the recorded path would speak of an object of some scenario.
    let path = match (endpoint.path.split_once('{'), variable) {
        (Some((head, rest)), Some(variable)) => format!("{head}{variable}{}", rest.split_once('}')?.1),
        (Some(_), None) => return None,
        (None, _) => endpoint.path.clone(),
    };
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    request.target = format!("/v{version}{path}{query}");
    Some(Probe { endpoint: endpoint.id.clone(), outcome: outcome.id.clone(), needs, request })
}

fn container(state: Condition) -> Option<ContainerState> {
    Some(match state {
        Condition::Created => ContainerState::Created,
        Condition::Running => ContainerState::Running,
        Condition::Paused => ContainerState::Paused,
        Condition::Exited | Condition::NotRunning => ContainerState::Exited,
        _ => return None,
    })
}

fn body(version: Version, endpoint: &Endpoint, request: &mut Request, condition: Condition) -> Option<()> {
    let decoder = endpoint.body.iter().find(|body| body.versions.contains(version))?.decoder;
    let text: &[u8] = match (condition, decoder) {
        (Condition::Absent, _) => {
            request.body = RequestBody::Absent;
            return Some(());
        }
        (Condition::NotJson, Decoder::Env | Decoder::Go) => b"{bad",
        (Condition::Malformed, Decoder::Env | Decoder::Go) => b"{\"a\":",
        (Condition::WrongType, Decoder::Go) => b"[]",
        _ => return None,
    };
    request.body = RequestBody::Bytes(text.to_vec());
    if request.header_value("Content-Type").is_none() {
        request.headers.push(("Content-Type".into(), "application/json".into()));
    }
    Some(())
}

fn set_header(request: &mut Request, name: &str, value: &str) -> Option<()> {
    let header = request.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    header.1 = value.to_owned();
    Some(())
}

/// `Some(None)`: the parameter is left out.
fn query_value(kind: ParameterKind, name: &str, condition: Condition) -> Option<Option<&'static str>> {
    Some(match (condition, kind) {
        (Condition::Absent, _) => None,
        (Condition::Empty, _) => Some(""),
        (Condition::Malformed, ParameterKind::IntStrict | ParameterKind::Timestamp) => Some("x"),
        (Condition::NotJson, ParameterKind::Filters | ParameterKind::Json) => Some("%7Bbad"),
        (Condition::Malformed, ParameterKind::Filters | ParameterKind::Json) => Some("%7B"),
        (Condition::WrongType, ParameterKind::Filters) => Some("%7B%22status%22%3A1%7D"),
        (Condition::Malformed, ParameterKind::String) if name == "tag" => Some("a%2Fb"),
        (Condition::Malformed, ParameterKind::String) if name == "name" => Some("a%20b"),
        _ => return None,
    })
}

fn set_query(request: &mut Request, name: &str, value: Option<&str>) {
    let kept = request
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name));
    let mut pairs: Vec<String> = kept.map(str::to_owned).collect();
    pairs.extend(value.map(|value| format!("{name}={value}")));
    request.target = format!("{}?{}", request.path(), pairs.join("&"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{FileName, Recordings};

    #[test]
    fn a_probe_differs_from_a_right_request_in_what_its_outcome_is_about() {
        let (spec, version) = (Spec::embedded(), Version::NEWEST);
        let records = Recordings::of_the_project().read(FileName::own(version)).unwrap();
        let right = right_requests(spec, version, records.iter().filter_map(|record| record.exchange()));
        let probes = probes(spec, version, &right);
        assert!(probes.len() > 30, "{}", probes.len());
        let of = |endpoint: &str, outcome: &str| {
            probes.iter().find(|probe| probe.endpoint == endpoint && probe.outcome == outcome).unwrap()
        };
        let missing = of("containers.stop", "no-such-container");
        assert_eq!((missing.request.path(), missing.needs), ("/v1.19/containers/nosuch/stop", None));
        let running = probes.iter().find(|probe| probe.needs == Some(ContainerState::Running)).unwrap();
        assert!(running.request.target.contains(OBJECT));
    }
}
