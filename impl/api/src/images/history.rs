//! `GET /images/{image}/history`.

use serde_json::{Value, json};

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let reference = call.reference.clone();
    let history = call.on_images(move |images| images.history(&reference)).await?;
    let entries = history.iter().map(|entry| {
        json!({
            "Id": entry.image.id,
            "Created": entry.image.created.unix_seconds(),
            "CreatedBy": created_by(&entry.image.container_config),
            "Tags": entry.tags,
            "Size": entry.image.size,
            "Comment": entry.image.comment,
        })
    });
    Ok(Reply::json("shown", entries.collect()))
}

/// The command of the container that an image was made from, its words joined by blanks.
fn created_by(config: &Value) -> String {
    let words = config.get("Cmd").and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}
