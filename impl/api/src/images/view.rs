//! An image in JSON: every fact that any version tells, under the names that the spec's types have.

use drydock_engine::ContainerConfig;
use drydock_images::Inspection;
use serde_json::{Value, json};

const NONE: &str = "<none>";

/// A line of the list.
pub(crate) fn summary(inspection: &Inspection) -> Value {
    let image = &inspection.image;
    // One without a name is told with a name that says so.
    let or_none = |names: &[String], none: String| match names {
        [] if inspection.repo_tags.is_empty() && inspection.repo_digests.is_empty() => json!([none]),
        names => json!(names),
    };
    json!({
        "Id": image.id,
        "ParentId": image.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        "RepoTags": or_none(&inspection.repo_tags, format!("{NONE}:{NONE}")),
        "RepoDigests": or_none(&inspection.repo_digests, format!("{NONE}@{NONE}")),
        "Created": image.created.unix_seconds(),
        "Size": image.size,
        "VirtualSize": inspection.virtual_size,
        "Labels": image.labels(),
    })
}

/// All of it, for inspect.
pub(crate) fn full(inspection: &Inspection) -> Value {
    let image = &inspection.image;
    json!({
        "Id": image.id,
        "Parent": image.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        "Comment": image.comment,
        "Created": image.created,
        "Container": image.container,
        "ContainerConfig": filled(&image.container_config),
        "DockerVersion": image.docker_version,
        "Author": image.author,
        "Config": if image.config.is_null() { Value::Null } else { filled(&image.config) },
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size,
        "VirtualSize": inspection.virtual_size,
        "Checksum": "",
    })
}

/// A configuration with all fields, whatever its image's file left out (`images.load-save/all`, `mini-inspect`).
fn filled(config: &Value) -> Value {
    let mut all = serde_json::to_value(ContainerConfig::default()).unwrap_or_default();
    if let (Some(all), Some(config)) = (all.as_object_mut(), config.as_object()) {
        all.extend(config.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    all
}
