//! `POST /containers/{container}/restart`.

use drydock_engine::Restart;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let grace = super::stop::grace(&call);
    call.api.0.engine.restart(Restart { target: call.target(), grace }).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("restarted"))
}
