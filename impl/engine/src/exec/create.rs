//! `exec create`: what is to run, and where.

use super::{Exec, ExecState};
use crate::container::Phase;
use crate::events::Action;
use crate::{Engine, Error, Target};
use drydock_core::Id;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;

/// Make an exec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecCreate {
    /// In which container.
    pub target: Target,
    /// What runs.
    pub cmd: Vec<String>,
    /// Bytes of the client are its stdin.
    pub attach_stdin: bool,
    /// Stdout goes to the client.
    pub attach_stdout: bool,
    /// Stderr goes to the client.
    pub attach_stderr: bool,
    /// A terminal.
    pub tty: bool,
    /// As in a container's configuration; empty: the container's.
    pub user: String,
    /// Kept, and of no effect.
    pub privileged: bool,
    /// It has a session of its own; older daemons gave none.
    pub own_session: bool,
    /// `HOME` is set; one daemon forgot it.
    pub home: bool,
    /// Made in a paused container, too; it is started when that goes on.
    #[serde(default)]
    pub also_paused: bool,
}

impl Engine {
    /// Makes an exec; nothing runs yet.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `NotRunning`, `Paused`, `NoExecCommand`.
    pub async fn exec_create(&self, command: ExecCreate) -> Result<Id, Error> {
        let container = self.find(&command.target)?;
        let mut body = container.lock().await?;
        match body.phase {
            Phase::Running(_) => {}
            Phase::Paused(_) if command.also_paused => {}
            Phase::Paused(_) => return Err(Error::Paused(container.id)),
            _ => return Err(Error::NotRunning(container.id)),
        }
        if command.cmd.is_empty() {
            return Err(Error::NoExecCommand);
        }
        let action = Action::ExecCreate { command: words(&command) };
        let id = Id::random();
        let (state, _) = watch::channel(ExecState::Created);
        let exec = Exec { id, container: Arc::clone(&container), command, state };
        self.record_exec(&exec);
        self.0.execs.insert(Arc::new(exec));
        body.execs.push(id);
        container.publish(&body);
        drop(body);
        self.tell(&container, action);
        Ok(id)
    }
}

/// The command as events tell it: program, a blank, arguments.
pub(super) fn words(command: &ExecCreate) -> String {
    match command.cmd.split_first() {
        Some((program, arguments)) => format!("{program} {}", arguments.join(" ")),
        None => String::new(),
    }
}
