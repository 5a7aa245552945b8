//! `POST /containers/{container}/wait`.

use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let exit = call.api.0.engine.wait(call.target()).await.map_err(|error| call.refuse(error))?;
    let code = exit.map_or(0, |exit| call.policy().exit_codes().code(&exit));
    Ok(Reply::json("exited", json!({"StatusCode": code})))
}
