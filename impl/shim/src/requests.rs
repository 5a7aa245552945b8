//! What each request does.

use crate::client::Wish;
use crate::connection::Asked;
use crate::log::Log;
use crate::session::{Session, State};
use crate::shim::{NOFILE, Shim};
use drydock_runtime::stdio::{ProcessEnds, ShimEnds, pipes, resize, terminal};
use drydock_runtime::{Cgroup, Container, capabilities_withheld, send_signal};
use drydock_shim_protocol::{
    Answer, Attach, ContainerSpec, ExecStatus, Failure, InitStatus, Namespace, Note, Process, ProcessSpec, Refusal,
    Request, Status,
};
use rustix::io::Errno;
use std::rc::Rc;

impl Shim {
    /// Does what was asked. `None`: the answer takes time.
    pub(crate) fn answer(&mut self, connection: u32, asked: Asked) -> Option<Result<Answer, Refusal>> {
        let Asked { serial, request, blob, descriptor } = asked;
        Some(match request {
            Request::Start(spec) => self.start(&spec),
            Request::Attach(attach) => match descriptor {
                Some(socket) => self.attach(attach, (connection, serial), socket, &blob),
                None => Err(Refusal::NoDescriptor),
            },
            Request::Release { stream } => self.release((connection, stream)),
            Request::Exec { id, process } => self.exec(id, &process),
            Request::Forget { exec } => self.forget(exec),
            Request::Signal { process, signal } => self.signal(&process, signal),
            Request::Pause => self.pause(),
            Request::Unpause => self.unpause(),
            Request::Resize { process, rows, columns } => self.resize(&process, rows, columns),
            Request::SyncLog => Ok(Answer::Logged { log_position: self.sync_log() }),
            Request::Stats => Ok(Answer::Sample(self.cgroup.sample(self.init_pid()))),
            Request::Processes => self.processes(),
            Request::Subscribe => {
                self.subscribe(connection);
                Ok(Answer::Status(self.status()))
            }
            Request::Status => Ok(Answer::Status(self.status())),
            Request::Shutdown => return self.shut_down(connection, serial),
        })
    }

    fn start(&mut self, spec: &ContainerSpec) -> Result<Answer, Refusal> {
        if !matches!(self.session(&Process::Init)?.state, State::Waiting) || self.container.is_some() {
            return Err(Refusal::Running);
        }
        let result = self.make(spec);
        if result.is_err() {
            let (poll, session) = self.poll_and_session(&Process::Init)?;
            session.abandon_clients(poll);
            self.remove_cgroup();
        }
        result.map_err(Refusal::Failed)
    }

    fn make(&mut self, spec: &ContainerSpec) -> Result<Answer, Failure> {
        if let Some(failure) = &self.no_root {
            return Err(failure.clone());
        }
        self.spool = Rc::from(spec.spool.as_path());
        let log = Log::open(&spec.log)?;
        let mut notes = notes(&spec.process)?;
        self.cgroup = match Cgroup::make(&spec.id, &spec.cgroups) {
            Err(Failure::Cgroup { errno, .. }) if self.rootless && is_forbidden(errno) => {
                notes.push(Note::NeedsRoot("cgroups".into()));
                Cgroup::none()
            }
            cgroup => cgroup?,
        };
        notes.extend_from_slice(self.cgroup.notes());
        let (theirs, ours) = ends(&spec.process)?;
        let mut spec = spec.clone();
        self.limit_open_files(&mut spec.process);
        let container = Container::start(&spec, &self.cgroup, theirs)?;
        // From here on something runs: the rest is not allowed to fail it, but by killing it.
        self.watch_oom();
        self.own_pids = spec.namespaces.pid == Namespace::New;
        let (poll, session) = self.poll_and_session(&Process::Init).map_err(|_| step("session", Errno::SRCH))?;
        if let Err(errno) = session.start(poll, container.init(), ours, spec.process.stdin_once, Some(log)) {
            container.end();
            return Err(step("waiting", errno));
        }
        let State::Running { pid, since, .. } = session.state else { return Err(step("session", Errno::SRCH)) };
        self.container = Some(container);
        Ok(Answer::Started { pid, at: since, notes })
    }

    fn attach(
        &mut self,
        attach: Attach,
        origin: (u32, u64),
        socket: std::os::fd::OwnedFd,
        early: &[u8],
    ) -> Result<Answer, Refusal> {
        if let Process::Exec(_) = &attach.process {
            self.session_to_be(&attach.process);
        }
        let log_position = self.session_log_position(&attach.process)?;
        let spool = self.spool.clone();
        let Attach { process, streams, framing, input_end, hold, detach_keys } = attach;
        let wish = Wish { streams, framing, input_end, detach_keys, origin };
        let (poll, session) = self.poll_and_session(&process)?;
        session
            .attach(poll, socket, wish, hold, early, spool)
            .map_err(|error| system("the client's socket", &error))?;
        session.set_pace(poll);
        Ok(Answer::Attached { log_position })
    }

    fn release(&mut self, origin: (u32, u64)) -> Result<Answer, Refusal> {
        let (poll, sessions) = self.poll_and_sessions();
        for session in sessions {
            if session.release(poll, origin) {
                session.set_pace(poll);
                return Ok(Answer::Done);
            }
        }
        Err(Refusal::Unknown)
    }

    fn exec(&mut self, id: String, spec: &ProcessSpec) -> Result<Answer, Refusal> {
        let process = Process::Exec(id);
        if self.session(&process).is_ok_and(|session| !matches!(session.state, State::Waiting)) {
            return Err(Refusal::Taken);
        }
        self.session_to_be(&process);
        let result = self.run(&process, spec);
        if result.is_err() {
            let (poll, session) = self.poll_and_session(&process)?;
            session.abandon_clients(poll);
            self.drop_session(&process);
        }
        result
    }

    fn run(&mut self, process: &Process, spec: &ProcessSpec) -> Result<Answer, Refusal> {
        if !self.session(&Process::Init)?.is_running() {
            return Err(Refusal::NotRunning);
        }
        let paused = self.is_paused();
        let mut spec = spec.clone();
        self.limit_open_files(&mut spec);
        let container = self.container.as_mut().filter(|_| !paused).ok_or(Refusal::NotRunning)?;
        let notes = notes(&spec).map_err(Refusal::Failed)?;
        let (theirs, ours) = ends(&spec).map_err(Refusal::Failed)?;
        let child = container.exec(&spec, &self.cgroup, theirs).map_err(Refusal::Failed)?;
        let (poll, session) = self.poll_and_session(process)?;
        if let Err(errno) = session.start(poll, &child, ours, spec.stdin_once, None) {
            child.end();
            return Err(Refusal::Failed(step("waiting", errno)));
        }
        match session.state {
            State::Running { pid, since, .. } => Ok(Answer::Started { pid, at: since, notes }),
            _ => Err(Refusal::NotRunning),
        }
    }

    /// Our own limit is not for others.
    fn limit_open_files(&self, spec: &mut ProcessSpec) {
        if spec.rlimits.iter().all(|limit| limit.resource != NOFILE) {
            spec.rlimits.push(self.open_files);
        }
    }

    fn forget(&mut self, exec: String) -> Result<Answer, Refusal> {
        let process = Process::Exec(exec);
        // One that waits is about to run again: its clients are here already.
        if !matches!(self.session(&process)?.state, State::Exited { .. }) {
            return Err(Refusal::Running);
        }
        self.forgotten(&process);
        Ok(Answer::Done)
    }

    fn signal(&mut self, process: &Process, signal: i32) -> Result<Answer, Refusal> {
        let State::Running { pidfd, .. } = &self.session(process)?.state else { return Err(Refusal::NotRunning) };
        match send_signal(pidfd, signal) {
            Ok(()) => Ok(Answer::Done),
            Err(Errno::SRCH) => Err(Refusal::NotRunning),
            Err(errno) => Err(Refusal::System { what: format!("signal {signal}"), errno: errno.raw_os_error() }),
        }
    }

    fn pause(&mut self) -> Result<Answer, Refusal> {
        if !self.session(&Process::Init)?.is_running() {
            return Err(Refusal::NotRunning);
        }
        self.cgroup.freeze().map_err(|error| system("freezing", &error))?;
        Ok(Answer::Done)
    }

    fn unpause(&mut self) -> Result<Answer, Refusal> {
        self.cgroup.thaw().map_err(|error| system("thawing", &error))?;
        Ok(Answer::Done)
    }

    fn resize(&mut self, process: &Process, rows: u16, columns: u16) -> Result<Answer, Refusal> {
        let session = self.session(process)?;
        if !session.is_running() {
            return Err(Refusal::NotRunning);
        }
        if let Some(terminal) = session.terminal() {
            let failed = |errno: Errno| Refusal::System { what: "window".into(), errno: errno.raw_os_error() };
            resize(terminal, rows, columns).map_err(failed)?;
        }
        Ok(Answer::Done)
    }

    fn processes(&mut self) -> Result<Answer, Refusal> {
        let mut processes = self.cgroup.processes().map_err(|error| system("processes", &error))?;
        if processes.is_empty() {
            // No cgroup: at least those that are ours.
            let pid = |session: &Session| match session.state {
                State::Running { pid, .. } => Some(pid),
                _ => None,
            };
            processes = self.sessions().filter_map(pid).collect();
            processes.sort_unstable();
        }
        Ok(Answer::Processes(processes))
    }

    /// How things are.
    fn status(&self) -> Status {
        let mut status = Status {
            init: InitStatus::None,
            execs: Vec::new(),
            paused: self.is_paused(),
            out_of_memory: self.oom_killed,
        };
        for session in self.sessions() {
            match (&session.process, &session.state) {
                (_, State::Waiting) => {}
                (Process::Init, State::Running { pid, since, .. }) => {
                    status.init = InitStatus::Running { pid: *pid, since: *since };
                }
                (Process::Init, State::Exited { exit, since, at, .. }) => {
                    status.init = InitStatus::Exited { exit: *exit, since: *since, at: *at };
                }
                (Process::Exec(exec), State::Running { pid, .. }) => {
                    status.execs.push(ExecStatus { exec: exec.clone(), pid: *pid, exited: None });
                }
                (Process::Exec(exec), State::Exited { pid, exit, at, .. }) => {
                    status.execs.push(ExecStatus { exec: exec.clone(), pid: *pid, exited: Some((*exit, *at)) });
                }
            }
        }
        status
    }
}

fn ends(spec: &ProcessSpec) -> Result<(ProcessEnds, ShimEnds), Failure> {
    let ends = if spec.tty { terminal() } else { pipes(spec.stdin) };
    ends.map_err(|errno| step("stdio", errno))
}

fn notes(spec: &ProcessSpec) -> Result<Vec<Note>, Failure> {
    let withheld = capabilities_withheld(&spec.capabilities).map_err(|errno| step("capabilities", errno))?;
    Ok(if withheld == 0 { Vec::new() } else { vec![Note::CapabilitiesWithheld(withheld)] })
}

fn is_forbidden(errno: i32) -> bool {
    [Errno::ACCESS, Errno::PERM, Errno::ROFS].iter().any(|forbidden| forbidden.raw_os_error() == errno)
}

fn step(step: &str, errno: Errno) -> Failure {
    Failure::Step { step: step.to_owned(), errno: errno.raw_os_error(), detail: String::new() }
}

fn system(what: &str, error: &std::io::Error) -> Refusal {
    let errno = error.raw_os_error().unwrap_or(Errno::NOTSUP.raw_os_error());
    Refusal::System { what: what.to_owned(), errno }
}
