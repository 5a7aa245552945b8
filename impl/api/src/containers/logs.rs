//! `GET /containers/{container}/logs`.

use drydock_engine::{Error, Framing, Logs, Tail};
use futures_util::{StreamExt as _, stream};

use crate::{
    body::{Body, pieces},
    call::Call,
    reply::{Answered, Payload, Reply},
};

const BINARY: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) async fn handle(call: Call) -> Answered {
    let (stdout, stderr) = (call.query.flag("stdout"), call.query.flag("stderr"));
    if !(stdout || stderr) {
        return Ok(Reply::new("no-stream"));
    }
    let since = if call.answers("since-malformed") { call.strict("since", "since-malformed")?.unwrap_or(0) } else { 0 };
    let logs = Logs {
        target: call.target(),
        stdout,
        stderr,
        follow: call.query.flag("follow"),
        timestamps: call.query.flag("timestamps"),
        tail: tail(call.query.text("tail")),
        since,
    };
    let log = match call.api.0.engine.logs(logs).await {
        Ok(log) => log,
        // Older daemons tell nothing of a log that they cannot read.
        Err(Error::LogsUnreadable(_)) if !call.answers("driver-not-readable") => return Ok(shown(Body::empty(), TEXT)),
        Err(error) => return Err(call.refuse(error)),
    };
    let goes_on = log.goes_on.then(|| if log.framing == Framing::Multiplexed { BINARY } else { TEXT });
    let mut bytes = Box::pin(pieces(log.bytes));
    if let Some(kind) = goes_on {
        // The head goes out before there is a first line: clients wait for it.
        return Ok(shown(Body::stream_while_connected(bytes, call.slot.clone()), kind));
    }
    Ok(match bytes.next().await {
        None => shown(Body::empty(), TEXT),
        Some(first) => {
            let kind = first.as_ref().map_or(BINARY, |first| sniffed(first));
            shown(Body::stream(stream::once(std::future::ready(first)).chain(bytes)), kind)
        }
    })
}

fn shown(body: Body, kind: &'static str) -> Reply {
    Reply { payload: Payload::Body(body, Some(kind)), ..Reply::new("shown") }
}

/// What Go's server makes of the first bytes of a body without a content type.
pub(crate) fn sniffed(bytes: &[u8]) -> &'static str {
    let binary = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if bytes.iter().take(512).any(binary) { BINARY } else { TEXT }
}

/// `all`, or a number of lines; anything else is all.
fn tail(text: &str) -> Tail {
    text.parse().map_or(Tail::All, Tail::Lines)
}
