//! `POST /containers/{container}/attach`: the connection becomes the container's stdio.

use drydock_engine::{Attach, AttachFraming};

use crate::{call::Call, reply::Answered, takeover};

pub(crate) async fn handle(call: Call) -> Answered {
    let attachment = call
        .api
        .0
        .engine
        .attach(command(&call, AttachFraming::ByTerminal))
        .await
        .map_err(|error| call.refuse(error))?;
    let head = takeover::head(&call);
    call.slot
        .hijack(move |connection| {
            Box::pin(async move {
                let Ok((client, relay)) = takeover::give(connection, head).await else { return };
                if let Some(relay) = relay {
                    tokio::spawn(relay);
                }
                if let Err(error) = attachment.run(client).await {
                    tracing::debug!(%error, "an attach ended");
                }
            })
        })
        .await
}

/// The command that the query asks for.
pub(super) fn command(call: &Call, framing: AttachFraming) -> Attach {
    let flag = |name| call.query.flag(name);
    Attach {
        target: call.target(),
        logs: flag("logs"),
        stream: flag("stream"),
        stdin: flag("stdin"),
        stdout: flag("stdout"),
        stderr: flag("stderr"),
        framing,
    }
}
