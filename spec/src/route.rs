//! From method and path to the endpoint of a version.
//!
//! A path has at most one variable, which takes anything: slashes (image names have them) and nothing at all, as
//! the genuine daemons' `{name:.*}` did. A literal path wins over a variable, then the longer literal end wins.

use crate::{
    load::Spec,
    model::Endpoint,
    version::{VERSIONS, Version},
};

/// The endpoints of each version by method and path.
#[derive(Debug)]
pub struct Routes {
    by_version: [Vec<Route>; VERSIONS.len()],
}

#[derive(Debug, Clone)]
struct Route {
    method: String,
    pattern: Pattern,
    endpoint: usize,
}

#[derive(Debug, Clone)]
enum Pattern {
    Literal(String),
    Variable { prefix: String, suffix: String },
}

/// A request's endpoint and what its path's variable held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched<'p> {
    /// Index in [`Spec::endpoints`].
    pub endpoint: usize,
    /// The variable's value; empty where the path has none.
    pub variable: &'p str,
}

/// What a path says of the version before its first segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix<'p> {
    /// Nothing: the newest version is meant.
    Absent,
    /// A version from 1.14 to 1.19.
    Known(Version),
    /// Digits and dots that are none of them, e.g. `1.99`.
    Other(&'p str),
}

/// Splits `/v1.18/containers/json` into prefix and rest. What does not look like a version is part of the path.
pub fn split_prefix(path: &str) -> (Prefix<'_>, &str) {
    let Some((number, rest)) =
        path.strip_prefix("/v").and_then(|path| path.find('/').map(|slash| path.split_at(slash)))
    else {
        return (Prefix::Absent, path);
    };
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return (Prefix::Absent, path);
    }
    (number.parse().map_or(Prefix::Other(number), Prefix::Known), rest)
}

impl Pattern {
    fn parse(path: &str) -> Pattern {
        match path.split_once('{').and_then(|(prefix, rest)| Some((prefix, rest.split_once('}')?.1))) {
            Some((prefix, suffix)) => Pattern::Variable { prefix: prefix.to_owned(), suffix: suffix.to_owned() },
            None => Pattern::Literal(path.to_owned()),
        }
    }

    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Pattern::Literal(literal) => (literal == path).then_some(""),
            Pattern::Variable { prefix, suffix } => path.strip_prefix(prefix.as_str())?.strip_suffix(suffix.as_str()),
        }
    }

    /// The lower, the earlier it is tried.
    fn rank(&self) -> (bool, std::cmp::Reverse<usize>) {
        match self {
            Pattern::Literal(literal) => (false, std::cmp::Reverse(literal.len())),
            Pattern::Variable { suffix, .. } => (true, std::cmp::Reverse(suffix.len())),
        }
    }
}

impl Routes {
    /// The table of a spec.
    pub fn new(spec: &Spec) -> Self {
        let routes = |version: Version| {
            let mut routes: Vec<Route> = spec
                .endpoints()
                .iter()
                .enumerate()
                .filter(|(_, endpoint)| endpoint.versions.contains(version))
                .map(|(index, endpoint)| Route {
                    method: endpoint.method.clone(),
                    pattern: Pattern::parse(&endpoint.path),
                    endpoint: index,
                })
                .collect();
            routes.sort_by_key(|route| route.pattern.rank());
            routes
        };
        Self { by_version: VERSIONS.map(routes) }
    }

    /// The endpoint for a decoded path below the prefix.
    pub fn find<'p>(&self, version: Version, method: &str, path: &'p str) -> Option<Matched<'p>> {
        self.by_version[usize::from(version.minor() - Version::OLDEST.minor())]
            .iter()
            .filter(|route| route.method == method)
            .find_map(|route| Some(Matched { endpoint: route.endpoint, variable: route.pattern.matches(path)? }))
    }
}

impl Endpoint {
    /// The name of the path's variable: `container` of `/containers/{container}/json`.
    pub fn variable(&self) -> Option<&str> {
        Some(self.path.split_once('{')?.1.split_once('}')?.0)
    }

    /// The path with `value` in place of its variable.
    pub fn path_for(&self, value: &str) -> String {
        match Pattern::parse(&self.path) {
            Pattern::Literal(path) => path,
            Pattern::Variable { prefix, suffix } => format!("{prefix}{value}{suffix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_a_prefix() {
        assert_eq!(split_prefix("/v1.18/version"), (Prefix::Known("1.18".parse().unwrap()), "/version"));
        assert_eq!(split_prefix("/v1.99/version"), (Prefix::Other("1.99"), "/version"));
        for path in ["/version", "/v/version", "/v1.x/version", "/v1.18", "/V1.18/version", "/v-1/version"] {
            assert_eq!(split_prefix(path), (Prefix::Absent, path));
        }
    }

    #[test]
    fn a_variable_takes_slashes_and_nothing() {
        let pattern = Pattern::parse("/images/{image}/json");
        assert_eq!(pattern.matches("/images/reg:5000/a/b/json"), Some("reg:5000/a/b"));
        assert_eq!(pattern.matches("/images//json"), Some(""));
        assert_eq!(pattern.matches("/images/json"), None);
    }
}
