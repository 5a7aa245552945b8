//! `POST /commit`. Changes in a Dockerfile's words need the build, which this daemon does not have yet.

use drydock_engine::Commit;
use drydock_spec::model::BrokenBody;
use serde_json::json;

use crate::{
    call::Call,
    containers::create,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    call.expect_json(false)?;
    let bytes = call.bytes().await?;
    let ignores_broken = call
        .spec()
        .endpoint(call.endpoint)
        .body
        .iter()
        .any(|body| body.versions.contains(call.version) && body.broken == BrokenBody::Ignored);
    let body = match call.decode(&bytes) {
        Ok(body) => body,
        Err(_) if ignores_broken || bytes.is_empty() => serde_json::Map::new(),
        Err(refusal) => return Err(refusal),
    };
    if call.answers("change-refused") && !call.query.text("changes").is_empty() {
        return Ok(Reply::unimplemented());
    }
    let config = if body.is_empty() { None } else { Some(create::config(&call, body)?) };
    let text = |name: &str| call.query.text(name).to_owned();
    let commit = Commit {
        target: call.policy().target(call.query.text("container")),
        repository: text("repo"),
        tag: text("tag"),
        tag_rules: call.policy().tag_rules(),
        docker_version: call.version.daemon().to_owned(),
        comment: text("comment"),
        author: text("author"),
        pause: call.query.get("pause").is_none() || call.query.flag("pause"),
        config,
    };
    let id = call.api.0.engine.commit(commit).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::json("committed", json!({"Id": id})))
}
