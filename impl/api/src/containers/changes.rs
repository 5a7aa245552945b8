//! `GET /containers/{container}/changes`.

use drydock_engine::Changes;
use drydock_layers::ChangeKind;
use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let changes = Changes { target: call.target(), times: call.policy().directory_times() };
    let changes = call.api.0.engine.changes(changes).await.map_err(|error| call.refuse(error))?;
    let changes = changes.iter().map(|change| json!({"Path": change.path, "Kind": kind(change.kind)}));
    Ok(Reply::json("shown", changes.collect()))
}

fn kind(kind: ChangeKind) -> u8 {
    match kind {
        ChangeKind::Modified => 0,
        ChangeKind::Added => 1,
        ChangeKind::Deleted => 2,
    }
}
