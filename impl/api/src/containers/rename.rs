//! `POST /containers/{container}/rename`.

use drydock_engine::Rename;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let name = call.query.text("name").to_owned();
    if name.is_empty() && call.answers("no-new-name") {
        // Refused before anything is looked for.
        return Ok(Reply::new("no-new-name"));
    }
    call.api.0.engine.inspect(&call.target()).map_err(|error| call.refuse(error))?;
    let rename = Rename { target: call.target(), name, name_grammar: call.policy().name_grammar() };
    call.api.0.engine.rename(rename).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("renamed"))
}
