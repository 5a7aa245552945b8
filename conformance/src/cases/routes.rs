//! Routes that a version lacks.

use drydock_spec::{Spec, Version};

use crate::exchange::Request;

/// A request to each endpoint that other versions have and this one has not, with the endpoint's id. Where another
/// endpoint of the version takes the same path, its answer is its own affair and none is made.
pub fn absent_routes(spec: &Spec, version: Version) -> Vec<(String, Request)> {
    let absent = spec.endpoints().iter().filter(|endpoint| !endpoint.versions.contains(version));
    absent
        .filter_map(|endpoint| {
            let path =
                match endpoint.path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?.1))) {
                    Some((head, tail)) => format!("{head}nosuch{tail}"),
                    None => endpoint.path.clone(),
                };
            let taken = spec.routes().find(version, &endpoint.method, &path).is_some();
            (!taken).then(|| (endpoint.id.clone(), Request::new(&endpoint.method, format!("/v{version}{path}"))))
        })
        .collect()
}
