//! `GET /containers/{container}/top`.

use drydock_engine::Top;
use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let top = Top { target: call.target(), ps_args: call.query.text("ps_args").to_owned() };
    let processes = call.api.0.engine.top(top).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::json("shown", json!({"Titles": processes.titles, "Processes": processes.processes})))
}
