//! `DELETE /containers/{container}`: the container, or with `link` a link to it.

use drydock_engine::{Remove, RemoveLink};

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let engine = &call.api.0.engine;
    let removed = if call.query.flag("link") {
        let path = call.reference.strip_prefix('/').unwrap_or(&call.reference).to_owned();
        engine.remove_link(RemoveLink { path }).await
    } else {
        engine
            .remove(Remove { target: call.target(), force: call.query.flag("force"), volumes: call.query.flag("v") })
            .await
    };
    removed.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("removed"))
}
