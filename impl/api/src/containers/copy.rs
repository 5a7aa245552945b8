//! `POST /containers/{container}/copy`.

use drydock_engine::Copy;

use crate::{
    body::{Body, pieces},
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    call.expect_json(call.policy().copy_needs_a_content_type())?;
    let body = call.object().await?;
    let resource = body.get("Resource").and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    if resource.is_empty() {
        return Ok(Reply::new("path-empty"));
    }
    let copy = Copy {
        target: call.target(),
        resource: resource.strip_prefix('/').unwrap_or(&resource).to_owned(),
        sees_volumes: call.policy().copy_sees_volumes(),
    };
    let archive = call.api.0.engine.copy(copy).await.map_err(|error| {
        let mut refusal = call.refuse(error);
        refusal.values.insert(0, ("path", resource));
        refusal
    })?;
    Ok(Reply::body("copied", Body::stream(pieces(archive))))
}
