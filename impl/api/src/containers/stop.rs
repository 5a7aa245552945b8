//! `POST /containers/{container}/stop`: `t` seconds of grace, none by default.

use std::time::Duration;

use drydock_engine::{Stop, Stopped};

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let grace = grace(&call);
    let stopped =
        call.api.0.engine.stop(Stop { target: call.target(), grace }).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new(match stopped {
        Stopped::Now => "stopped",
        Stopped::Already => "already-stopped",
    }))
}

/// Seconds from TERM to KILL; a negative number waits for ever.
pub(super) fn grace(call: &Call) -> Option<Duration> {
    let seconds = call.query.lenient("t").unwrap_or(0);
    u64::try_from(seconds).ok().map(Duration::from_secs)
}
