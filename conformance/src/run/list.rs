//! The names of the checks, without running any.

use drydock_spec::{Spec, Version};

use crate::{
    cases,
    exchange::{RecordingError, Recordings},
    observed,
    recorded::{BESIDE_THE_API, Bodies, Image, scripts},
    scenarios,
    verdict::matches,
};

/// Every check's name, each once, in the order of reports. Fields are named by the answers that show them, so they
/// are not among these.
pub fn names(spec: &Spec, versions: &[Version]) -> Result<Vec<String>, RecordingError> {
    let mut names = Vec::new();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    for endpoint in spec.endpoints() {
        if versions.iter().any(|version| endpoint.versions.contains(*version)) {
            add(format!("route {}", endpoint.id));
        }
        for outcome in &endpoint.outcomes {
            if versions.iter().any(|version| outcome.answers(*version, *version).next().is_some()) {
                add(format!("case {}/{}", endpoint.id, outcome.id));
            }
        }
    }
    for version in versions {
        for (id, _) in cases::absent_routes(spec, *version) {
            add(format!("route {id} (absent)"));
        }
    }
    for scenario in scenarios::all() {
        add(format!("scenario {}", scenario.name));
    }
    let recordings = Recordings::of_the_project();
    let bodies = Bodies::read(&recordings, &Image::default())?;
    for version in versions {
        for script in scripts(&recordings, &bodies, *version)? {
            if !BESIDE_THE_API.contains(&script.scenario.split('/').next().unwrap_or_default()) {
                add(format!("recorded {}", script.scenario));
            }
        }
        for scenario in observed::scenarios(&recordings, &bodies, *version)? {
            add(format!("observed {}", scenario.name));
        }
    }
    Ok(names)
}

/// Whether a check's name, with or without its kind, matches a glob.
pub fn is_named(glob: &str, name: &str) -> bool {
    matches(glob, name) || name.split_once(' ').is_some_and(|(_, bare)| matches(glob, bare))
}
