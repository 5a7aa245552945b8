//! `POST /containers/{container}/pause`.

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    call.api.0.engine.pause(call.target()).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("paused"))
}
