//! `POST /exec/{exec}/start`: runs it, attached to this connection or detached.

use drydock_core::Timestamp;
use drydock_engine::{Error, ExecSession, ExecStart, StartFailure};
use drydock_spec::Behaviour;
use serde_json::Value;

use crate::{
    call::Call,
    connection::{Hijacked, write_head},
    reply::{Answered, Refusal, Reply},
    takeover,
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let body = call.object().await?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or_default();
    let (detach, raw) = (flag("Detach"), flag("Tty"));
    let start = ExecStart {
        exec: call.reference.clone(),
        detach,
        tty: raw,
        once: call.version.has(Behaviour::ExecRunsOnce),
        remembered: call.version.has(Behaviour::ExecOutlivesItsRun),
    };
    match call.api.0.engine.exec_start(start).await {
        Ok(session) if detach => detached(&call, session).await,
        Ok(session) => attached(call, session, raw).await,
        Err(error) if detach => Err(call.refuse(error)),
        Err(error) => {
            let told = call.not_begun(error)?;
            let (head, output) = (takeover::head(&call), call.said(&told, raw));
            call.slot.hijack(move |connection| Box::pin(end(connection, head, output))).await
        }
    }
}

/// A program that cannot be executed is no failure of the start: nobody waits for it.
async fn detached(call: &Call, session: ExecSession) -> Answered {
    match session.run_detached().await {
        Ok(()) | Err(Error::Start(_)) => Ok(Reply::new("started-detached")),
        Err(error) => Err(call.refuse(error)),
    }
}

async fn attached(call: Call, session: ExecSession, raw: bool) -> Answered {
    let head = takeover::head(&call);
    let slot = call.slot.clone();
    slot.hijack(move |connection| {
        Box::pin(async move {
            let (exec, container) = (session.id.to_string(), session.container.to_string());
            let Ok((client, relay)) = takeover::give(connection, head).await else { return };
            if let Some(relay) = relay {
                tokio::spawn(relay);
            }
            let Err((error, client)) = session.run(client).await else { return };
            tracing::debug!(%error, "an exec did not start");
            if let Error::Start(failure) = &error
                && let Some(told) = call.program_not_started(failure)
            {
                let told =
                    told.with("reference", call.reference.clone()).with("exec", exec).with("container", container);
                let _ = takeover::say(client, &call.said(&told.with("time", log_time()), raw)).await; // It left.
            }
        })
    })
    .await
}

impl Call {
    /// What a client whose head is out already is told of a start that cannot begin.
    fn not_begun(&self, error: Error) -> Result<Reply, Refusal> {
        let reference = self.reference.clone();
        Ok(match error {
            Error::NoSuchExec(_) => Reply::new("no-such-exec-told").with("reference", reference),
            Error::ExecRunning(_) => Reply::new("already-running-told").with("reference", reference),
            Error::NotRunning(id) if self.answers("container-not-running") => {
                Reply::new("container-not-running").with("reference", reference).with("id", id.to_string())
            }
            Error::NotRunning(_) => Reply::new("no-such-exec-told").with("reference", reference),
            error => return Err(self.refuse(error)),
        })
    }

    /// What is told of a program that could not be executed, where that is told.
    fn program_not_started(&self, failure: &StartFailure) -> Option<Reply> {
        let (outcome, reply) = self.start_failure(failure);
        let nth = match outcome {
            "program-not-found" => reply.nth,
            "program-not-executable" => 2,
            _ => return None,
        };
        Some(Reply { outcome: "program-not-started", nth, ..reply })
    }
}

/// Now, as Go's log package writes it: `2015/01/02 03:04:05`.
fn log_time() -> String {
    let now = Timestamp::now().to_string();
    now.chars()
        .take("2015/01/02 03:04:05".len())
        .map(|c| match c {
            '-' => '/',
            'T' => ' ',
            c => c,
        })
        .collect()
}

async fn end(mut connection: Hijacked, head: &'static [u8], output: Vec<u8>) {
    let _ = write_head(&mut connection, &[head, &output].concat()).await; // It left.
}
