//! Which endpoint of the spec a clause of the documents speaks of.

use std::{collections::HashMap, sync::LazyLock};

use drydock_spec::{Spec, clauses, model::Endpoint};

/// Whether a clause is about an endpoint, or about none in particular.
pub(crate) fn speaks_of(clause: &str, endpoint: &Endpoint) -> bool {
    static ROUTES: LazyLock<HashMap<&str, String>> = LazyLock::new(|| {
        clauses::embedded().iter().map(|clause| (clause.id.as_str(), without_names(&clause.endpoint))).collect()
    });
    let Some(of_clause) = ROUTES.get(clause).filter(|route| route.contains(" /")) else { return true };
    *of_clause == route(endpoint)
}

/// The endpoint that a clause is about.
pub(crate) fn endpoint_of(clause: &str) -> Option<&'static str> {
    static ENDPOINTS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let by_route: HashMap<String, &str> =
            Spec::embedded().endpoints().iter().map(|endpoint| (route(endpoint), endpoint.id.as_str())).collect();
        let of_clause = |clause: &'static clauses::Clause| {
            by_route.get(&without_names(&clause.endpoint)).map(|endpoint| (clause.id.as_str(), *endpoint))
        };
        clauses::embedded().iter().filter_map(of_clause).collect()
    });
    ENDPOINTS.get(clause).copied()
}

fn route(endpoint: &Endpoint) -> String {
    without_names(&format!("{} {}", endpoint.method, endpoint.path))
}

/// `GET /containers/(id)/json` and `GET /containers/{container}/json` as `GET /containers/*/json`.
fn without_names(route: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in route.chars() {
        match c {
            '(' | '{' => inside = true,
            ')' | '}' => {
                inside = false;
                out.push('*');
            }
            _ if inside => {}
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clause_is_about_the_endpoint_of_its_route() {
        assert_eq!(endpoint_of("api.containers.rename.004"), Some("containers.rename"));
        let spec = Spec::embedded();
        assert!(speaks_of("api.containers.rename.004", spec.find("containers.rename").unwrap()));
        assert!(!speaks_of("api.containers.rename.004", spec.find("containers.list").unwrap()));
        assert!(speaks_of("ovw.general.001", spec.find("containers.list").unwrap()));
    }
}
