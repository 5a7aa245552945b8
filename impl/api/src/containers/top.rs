//! `GET /containers/{container}/top`.

use drydock_engine::Top;
use drydock_spec::Behaviour;
use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let text = call.query.text("ps_args");
    let ps_args = match call.version.has(Behaviour::TopArgumentsAreSplit) {
        true => text.split_whitespace().map(str::to_owned).collect(),
        false => Vec::from_iter((!text.is_empty()).then(|| text.to_owned())),
    };
    let top = Top { target: call.target(), ps_args };
    let processes = call.api.0.engine.top(top).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::json("shown", json!({"Titles": processes.titles, "Processes": processes.processes})))
}
