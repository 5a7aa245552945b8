//! `POST /exec/{exec}/start`: runs it, attached to this connection or detached.

use drydock_engine::{Error, ExecStart};
use drydock_spec::Behaviour;
use serde_json::Value;

use crate::{
    call::Call,
    connection::{Hijacked, write_head},
    reply::{Answered, Reply},
    takeover::{self, STDERR, STDOUT, frame},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let body = call.object().await?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or_default();
    let detach = flag("Detach");
    let start = ExecStart {
        exec: call.reference.clone(),
        detach,
        tty: flag("Tty"),
        once: call.version.has(Behaviour::ExecRunsOnce),
    };
    let head = takeover::head(&call);
    let session = match call.api.0.engine.exec_start(start).await {
        Ok(session) => session,
        Err(Error::NoSuchExec(reference)) if !detach => {
            let told = call.version.has(Behaviour::ExecStartOfAMissingExecIsTold);
            let text = call.text("no-such-exec", &[("reference", &reference)]).unwrap_or_default() + "\n";
            let output = if told { missing(&reference, &text) } else { Vec::new() };
            return call.slot.hijack(move |connection| Box::pin(end(connection, head, output))).await;
        }
        Err(error) => return Err(call.refuse(error)),
    };
    if detach {
        session.run_detached().await.map_err(|error| call.refuse(error))?;
        return Ok(Reply::new("started-detached"));
    }
    call.slot
        .hijack(move |connection| {
            Box::pin(async move {
                let Ok((client, relay)) = takeover::give(connection, head).await else { return };
                if let Some(relay) = relay {
                    tokio::spawn(relay);
                }
                if let Err((error, client)) = session.run(client).await {
                    tracing::debug!(%error, "an exec did not start");
                    drop(client);
                }
            })
        })
        .await
}

/// What older daemons write of an exec that is not there: the reason on stderr, and the words around it on stdout.
fn missing(reference: &str, text: &str) -> Vec<u8> {
    let mut output = frame(STDERR, text.as_bytes());
    output.extend(frame(STDOUT, format!("Error starting exec command in container {reference}: {text}").as_bytes()));
    output
}

async fn end(mut connection: Hijacked, head: &'static [u8], output: Vec<u8>) {
    let _ = write_head(&mut connection, &[head, &output].concat()).await;
}
