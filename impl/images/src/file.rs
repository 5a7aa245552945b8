//! An image's `json` file: what archives carry, and what is kept of an image.

use crate::image::{Image, NewImage};
use crate::{Error, Result};
use drydock_core::{Id, Timestamp};
use serde_json::{Map, Value, json};

/// Reads an image's file. `name`: what it is called in errors. Sizes and layer are not in it.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Image> {
    let failed = |source| Error::ArchiveJson { path: name.to_owned(), source };
    let mut file: Map<String, Value> = serde_json::from_slice(bytes).map_err(failed)?;
    let text = |file: &Map<String, Value>, key: &str| match file.get(key) {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let id = |text: &str| text.parse::<Id>().map_err(|_| Error::ArchiveId(text.to_owned()));
    let parent = text(&file, "parent");
    let created = match file.get("created") {
        None | Some(Value::Null) => Timestamp::ZERO,
        Some(written) => serde_json::from_value(written.clone()).map_err(failed)?,
    };
    let mut take = |key: &str| file.remove(key).unwrap_or_default();
    let (container_config, config) = (take("container_config"), take("config"));
    Ok(Image {
        id: id(&text(&file, "id"))?,
        parent: if parent.is_empty() { None } else { Some(id(&parent)?) },
        created,
        comment: text(&file, "comment"),
        author: text(&file, "author"),
        container: text(&file, "container"),
        container_config,
        config,
        docker_version: text(&file, "docker_version"),
        architecture: text(&file, "architecture"),
        os: text(&file, "os"),
        size: 0,
        link_size: 0,
        layer: None,
    })
}

/// Go's name of this machine's architecture, as images tell it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Writes the file of a new image, with the keys in the genuine daemons' order (`images.load-save/all`, `get-id`).
pub(crate) fn compose(id: Id, new: &NewImage, created: Timestamp, size: u64) -> Vec<u8> {
    let mut file = Map::new();
    file.insert("id".into(), json!(id));
    let mut some = |key: &str, text: &str| {
        if !text.is_empty() {
            file.insert(key.into(), json!(text));
        }
    };
    some("parent", &new.parent.map(|id| id.to_string()).unwrap_or_default());
    some("comment", &new.comment);
    some("created", &created.to_string());
    some("container", &new.container.map(|id| id.to_string()).unwrap_or_default());
    file.insert("container_config".into(), or_object(&new.container_config));
    file.insert("docker_version".into(), json!(new.docker_version));
    if !new.author.is_empty() {
        file.insert("author".into(), json!(new.author));
    }
    file.insert("config".into(), new.config.clone());
    file.insert("architecture".into(), json!(architecture()));
    file.insert("os".into(), json!("linux"));
    file.insert("Size".into(), json!(size));
    Value::Object(file).to_string().into_bytes()
}

fn or_object(value: &Value) -> Value {
    if value.is_null() { json!({}) } else { value.clone() }
}
