//! `POST /containers/{container}/kill`.

use drydock_engine::{Kill, Signal};

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let signal = match call.query.text("signal") {
        "" => Signal::KILL,
        text => Signal::parse(text).map_err(|error| call.refuse(error))?,
    };
    let must_run = call.answers("not-running");
    call.api
        .0
        .engine
        .kill(Kill { target: call.target(), signal, must_run })
        .await
        .map_err(|error| call.refuse(error))?;
    Ok(Reply::new("killed"))
}
