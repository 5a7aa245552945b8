//! `POST /containers/{container}/unpause`.

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    call.api.0.engine.unpause(call.target()).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("unpaused"))
}
