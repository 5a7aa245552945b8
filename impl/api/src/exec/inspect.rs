//! `GET /exec/{exec}/json`.

use drydock_engine::{ExecState, Exit, Inspection};
use drydock_spec::Behaviour;
use serde_json::json;

use crate::{
    call::Call,
    containers::view,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let exec = call.api.0.engine.exec_inspect(&call.reference).await.map_err(|error| call.refuse(error))?;
    let (running, code) = match &exec.state {
        ExecState::Created => (false, 0),
        ExecState::Starting | ExecState::Running { .. } => (true, 0),
        ExecState::Exited(Exit::NotStarted { .. }) if call.version.has(Behaviour::ExecFailedExecutionIsOne) => {
            (false, 1)
        }
        ExecState::Exited(exit) => (false, call.policy().exit_codes().code(exit)),
    };
    let mut container = view::full(&call, &Inspection { snapshot: exec.container.clone(), links: Vec::new() });
    if let Some(map) = container.as_object_mut() {
        map.insert("UpdateDns".to_owned(), json!(false));
        map.insert("MountPoints".to_owned(), json!({}));
    }
    Ok(Reply::json(
        "shown",
        json!({
            "ID": exec.id,
            "Running": running,
            "ExitCode": code,
            "ProcessConfig": {
                // Whatever it was created with: recorded so in every version.
                "privileged": false,
                "user": exec.command.user,
                "tty": exec.command.tty,
                "entrypoint": exec.entrypoint,
                "arguments": exec.arguments,
            },
            "OpenStdin": exec.command.attach_stdin,
            "OpenStderr": exec.command.attach_stderr,
            "OpenStdout": exec.command.attach_stdout,
            "Container": container,
        }),
    ))
}
