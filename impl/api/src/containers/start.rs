//! `POST /containers/{container}/start`: a host configuration in the body replaces the stored one.

use drydock_engine::{Error, HostConfig, Start, Started};

use crate::{
    call::Call,
    containers::create,
    reply::{Answered, Refusal, Reply},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let host_config = host_config(&mut call).await?;
    let start = Start { target: call.target(), host_config, rules: call.create_rules() };
    let started = match call.api.0.engine.start(start).await {
        // Older daemons take a paused container for a started one.
        Err(Error::Paused(_)) if !call.answers("paused") => Started::Already,
        started => started.map_err(|error| call.refuse(error))?,
    };
    Ok(Reply::new(match started {
        Started::Now => "started",
        Started::Already => "already-started",
    }))
}

/// `None` where the body says nothing: no body, `null`, or an empty object.
async fn host_config(call: &mut Call) -> Result<Option<HostConfig>, Refusal> {
    let json = call.expect_json(false);
    let bytes = call.bytes().await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    json?;
    let body = call.decode(&bytes)?;
    if body.is_empty() { Ok(None) } else { create::host_config(call, body).map(Some) }
}
