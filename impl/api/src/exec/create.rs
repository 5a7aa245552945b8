//! `POST /containers/{container}/exec`.

use drydock_engine::ExecCreate;
use drydock_spec::Behaviour;
use serde_json::{Value, json};

use crate::{
    call::Call,
    reply::{Answered, Reply, refusal},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let body = call.object().await?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or_default();
    let words = body.get("Cmd").and_then(Value::as_array).into_iter().flatten();
    let cmd: Vec<String> = words.filter_map(Value::as_str).map(str::to_owned).collect();
    if cmd.is_empty() {
        return Err(refusal("no-exec-command"));
    }
    let create = ExecCreate {
        target: call.target(),
        cmd,
        attach_stdin: flag("AttachStdin"),
        attach_stdout: flag("AttachStdout"),
        attach_stderr: flag("AttachStderr"),
        tty: flag("Tty"),
        user: if call.version.has(Behaviour::ExecUser) { text("User") } else { String::new() },
        privileged: flag("Privileged"),
        own_session: call.version.has(Behaviour::ExecHasItsOwnSession),
        home: call.version.has(Behaviour::ExecSetsHome),
        also_paused: !call.version.has(Behaviour::ExecRefusesAPausedContainer),
    };
    let id = call.api.0.engine.exec_create(create).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::json("created", json!({"Id": id})))
}
