//! `exec start`: it runs, with a client or without.

use super::create::words;
use super::{Exec, ExecState};
use crate::config::Ulimit;
use crate::container::Phase;
use crate::events::Action;
use crate::run::{Shim, capabilities, environment, refusal, rlimits};

use crate::state::Exit;
use crate::streams::{ClientSocket, Framing};
use crate::{Engine, Error, StartFailure};
use drydock_core::Id;
use drydock_shim_protocol::{Answer, Attach, InputEnd, Process, ProcessSpec, Request, Streams};
use std::sync::Arc;

/// Run an exec.
#[derive(Clone, Debug)]
pub struct ExecStart {
    /// Which, as the client wrote it.
    pub exec: String,
    /// Nobody attaches.
    pub detach: bool,
    /// The client reads as from a terminal, whatever the exec has.
    pub tty: bool,
    /// One that ended is not run again: it is as if it were not there.
    pub once: bool,
    /// One that went with its container's run is told as such, not as missing.
    pub remembered: bool,
}

/// An exec that is about to run: what the view needs for the head, then [`Self::run`].
pub struct ExecSession {
    /// Which.
    pub id: Id,
    /// In which container.
    pub container: Id,
    /// How the bytes are to be read.
    pub framing: Framing,
    engine: Engine,
    exec: Arc<Exec>,
    shim: Arc<Shim>,
    /// What is to run; `None` once the shim was told.
    process: Option<Box<ProcessSpec>>,
}

impl std::fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecSession").field("id", &self.id).field("framing", &self.framing).finish_non_exhaustive()
    }
}

impl Engine {
    /// Claims an exec for one start. Dropping the session gives it back.
    ///
    /// # Errors
    /// `NoSuchExec`, `ExecRunning`, `NotRunning`, `Paused`.
    pub async fn exec_start(&self, command: ExecStart) -> Result<ExecSession, Error> {
        let exec = self.0.execs.find(&command.exec).map_err(|error| {
            let gone = self.0.execs.unstarted(&command.exec).filter(|_| command.remembered);
            gone.map_or(error, Error::NotRunning)
        })?;
        self.settle(&exec).await;
        let container = Arc::clone(&exec.container);
        let body = container.lock().await?;
        let live = match &body.phase {
            Phase::Running(live) => live,
            Phase::Paused(_) => return Err(Error::Paused(container.id)),
            _ => return Err(Error::NotRunning(container.id)),
        };
        let links = self.links(&container, &body.definition.name).unwrap_or_default();
        let links: Vec<String> = links.iter().flat_map(|link| link.env(&body.definition.name)).collect();
        let process = Box::new(process(&exec, &body.definition, &links, &self.0.settings.ulimits)?);
        let shim = Arc::clone(&live.shim);
        let mut ended = false;
        let claimed = exec.state.send_if_modified(|state| {
            ended = matches!(state, ExecState::Exited(_));
            let free = matches!(state, ExecState::Created) || (ended && !command.once);
            if free {
                *state = ExecState::Starting;
            }
            free
        });
        if !claimed {
            return Err(if ended { Error::NoSuchExec(command.exec) } else { Error::ExecRunning(exec.id) });
        }
        let framing = if command.tty { Framing::Raw } else { Framing::Multiplexed };
        let (id, container) = (exec.id, container.id);
        let session = ExecSession { id, container, framing, engine: self.clone(), exec, shim, process: Some(process) };
        if ended {
            // Its end is known here: a client that attaches is one of the next run. That it was forgotten already is as
            // good.
            let _ = session.shim.done(Request::Forget { exec: id.to_string() }).await;
        }
        Ok(session)
    }
}

fn process(
    exec: &Exec,
    definition: &crate::container::Definition,
    links: &[String],
    default_limits: &[Ulimit],
) -> Result<ProcessSpec, StartFailure> {
    let (command, config) = (&exec.command, &definition.config);
    Ok(ProcessSpec {
        args: command.cmd.clone(),
        env: environment(definition, links),
        set_home: command.home,
        cwd: config.working_dir.clone(),
        user: if command.user.is_empty() { config.user.clone() } else { command.user.clone() },
        tty: command.tty,
        stdin: command.attach_stdin,
        stdin_once: true,
        own_session: command.own_session,
        capabilities: capabilities(definition)?,
        rlimits: rlimits(definition.host_config.ulimits.as_deref().unwrap_or_default(), default_limits)?,
    })
}

impl ExecSession {
    /// Runs it with a client; returns when the stream is over and the socket closed.
    ///
    /// # Errors
    /// [`Error::Start`] with what failed: the head is out already, so a view writes the words into the stream. The
    /// socket comes back with it.
    pub async fn run(self, client: ClientSocket) -> Result<(), (Error, ClientSocket)> {
        let back = match client.fd.try_clone() {
            Ok(fd) => ClientSocket { fd, first: bytes::Bytes::new() },
            Err(source) => return Err((Error::Io { what: "copying", path: "socket".into(), source }, client)),
        };
        let command = &self.exec.command;
        let attach = Attach {
            process: Process::Exec(self.id.to_string()),
            streams: Streams {
                stdin: command.attach_stdin,
                stdout: command.attach_stdout,
                stderr: command.attach_stderr,
            },
            framing: self.framing.into(),
            input_end: InputEnd::Close,
            hold: false,
            detach_keys: Vec::new(),
        };
        let nothing = attach.streams == Streams::default();
        let stream = match nothing {
            true => None,
            false => match self.shim.attach(attach, &client.first, client.fd).await {
                Ok(stream) => Some(stream),
                Err(error) => return Err((error.into(), back)),
            },
        };
        let exec = Arc::clone(&self.exec);
        if let Err(error) = self.begin().await {
            return Err((error, back));
        }
        drop(back);
        match stream {
            Some(stream) => stream.ended().await,
            None => {
                let over = |state: &ExecState| matches!(state, ExecState::Exited(_));
                let _ = exec.state.subscribe().wait_for(over).await;
            }
        }
        Ok(())
    }

    /// Runs it without a client; returns when it has begun.
    ///
    /// # Errors
    /// [`Error::Start`] with what failed.
    pub async fn run_detached(self) -> Result<(), Error> {
        self.begin().await
    }

    async fn begin(mut self) -> Result<(), Error> {
        let Some(process) = self.process.take() else { return Ok(()) };
        self.engine.tell(&self.exec.container, Action::ExecStart { command: words(&self.exec.command) });
        let asked = self.shim.ask(Request::Exec { id: self.id.to_string(), process }).await;
        let result = match asked {
            Ok(Answer::Started { pid, .. }) => {
                // Its end may have been heard before: that is the newer word.
                self.exec.state.send_if_modified(|state| {
                    let starting = *state == ExecState::Starting;
                    if starting {
                        *state = ExecState::Running { pid };
                    }
                    starting
                });
                Ok(())
            }
            Ok(_) => Err(refusal(crate::run::ShimError::Unexpected)),
            Err(error) => Err(refusal(error)),
        };
        if let Err(failure) = &result {
            self.exec
                .state
                .send_replace(ExecState::Exited(Exit::NotStarted { failure: failure.clone(), before: None }));
        }
        self.engine.record_exec(&self.exec);
        Ok(result?)
    }
}

impl Drop for ExecSession {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.exec.state.send_if_modified(|state| {
                let starting = *state == ExecState::Starting;
                if starting {
                    *state = ExecState::Created;
                }
                starting
            });
        }
    }
}

impl From<Framing> for drydock_shim_protocol::Framing {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Raw => Self::Raw,
            Framing::Multiplexed => Self::Multiplexed,
        }
    }
}
