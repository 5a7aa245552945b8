//! The loop, and what it keeps.

use crate::connection::Connection;
use crate::output::BATCH;
use crate::poll::{Poll, Ready, Token, Watched};
use crate::session::{Session, State};

use drydock_runtime::{Cgroup, Container, OomWatch, become_root, is_root, keep_descriptors, set_undumpable};
use drydock_shim_protocol::{Answer, Event, Failure, Process, Refusal, Rlimit, SOCKET};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with};
use rustix::process::{self, Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The kernel's number.
pub(crate) const NOFILE: u32 = 7;

/// After the shim was told to end, a client that takes nothing for so long is let go.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// The first process's session.
pub(crate) const INIT: u32 = 0;

pub(crate) struct Shim {
    pub(crate) poll: Poll,
    pub(crate) buffer: Vec<u8>,
    pub(crate) listener: Option<Watched>,
    pub(crate) connections: BTreeMap<u32, Connection>,
    next_connection: u32,
    pub(crate) sessions: BTreeMap<u32, Session>,
    next_session: u32,
    pub(crate) container: Option<Container>,
    pub(crate) cgroup: Cgroup,
    pub(crate) oom: Option<(OomWatch, Option<Watched>)>,
    pub(crate) oom_killed: bool,
    /// The first process is the first of a pid namespace, and all others die with it.
    pub(crate) own_pids: bool,
    pub(crate) spool: Rc<Path>,
    /// This process was not root.
    pub(crate) rootless: bool,
    /// Why it cannot act as root.
    pub(crate) no_root: Option<Failure>,
    /// When to try again to remove the cgroup, and the pause after that.
    pub(crate) removal: Option<(Instant, Duration)>,
    /// Open files that a process may have unless it is told otherwise: what we had when we began.
    pub(crate) open_files: Rlimit,
    /// Who told us to end; answered when nothing is left.
    pub(crate) shutdown: Vec<(u32, u64)>,
    /// Nothing is left but clients that have not taken everything; until when we wait for the next sign of life.
    leaving: Option<Instant>,
}

/// Serves one container until nobody needs it any more.
pub(crate) fn run() -> io::Result<()> {
    let mut shim = Shim::new()?;
    let mut ready = Vec::new();
    while shim.is_needed() {
        shim.poll.wait(shim.timeout(), &mut ready)?;
        for ready in &ready {
            shim.on(*ready);
        }
        shim.after();
    }
    shim.remove_socket();
    Ok(())
}

impl Shim {
    fn new() -> io::Result<Self> {
        rustix::process::setsid()
            .or_else(|errno| if errno == Errno::PERM { Ok(rustix::process::getpid()) } else { Err(errno) })?;
        keep_descriptors()?;
        // What is made in a container before its program sets its own.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let rootless = !is_root();
        let no_root = if rootless { become_root().err() } else { None };
        if !rootless {
            set_undumpable()?;
        }
        let poll = Poll::new()?;
        let daemon = io::stdin().as_fd().try_clone_to_owned()?;
        let mut listener = Watched::new(listen_at_socket()?, Token::Listener);
        listener.want(&poll, EventFlags::IN)?;
        let connections = BTreeMap::from([(0, Connection::new(&poll, daemon, 0)?)]);
        let mut shim = Self {
            poll,
            buffer: vec![0; BATCH],
            listener: Some(listener),
            connections,
            next_connection: 1,
            sessions: BTreeMap::from([(INIT, Session::new(INIT, Process::Init))]),
            next_session: INIT + 1,
            container: None,
            cgroup: Cgroup::none(),
            oom: None,
            oom_killed: false,
            own_pids: true,
            spool: Rc::from(Path::new(".")),
            rootless,
            no_root,
            removal: None,
            open_files: raise_open_files(),
            shutdown: Vec::new(),
            leaving: None,
        };
        // The daemon's end of stdin must not live on in a copy here.
        let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
        rustix::stdio::dup2_stdin(null)?;
        shim.after();
        Ok(shim)
    }

    fn on(&mut self, ready: Ready) {
        match ready.token {
            Token::Listener => self.accept(),
            Token::Connection(id) => self.on_connection(id),
            Token::Exit(INIT) => self.on_init_exit(),
            Token::Exit(id) => self.on_exec_exit(id),
            Token::OutOfMemory => self.check_oom(),
            Token::Output(id, stream) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.on_output(&self.poll, stream, &mut self.buffer);
                }
            }
            Token::Input(id) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.on_input(&self.poll);
                }
            }
            Token::Client(id, client) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.on_client(&self.poll, client, ready, &mut self.buffer);
                    session.set_pace(&self.poll);
                    self.leaving = self.leaving.map(|_| Instant::now() + CLIENT_PATIENCE);
                }
            }
            Token::Log => {
                if let Some(session) = self.sessions.get_mut(&INIT) {
                    session.flush_log(&self.poll);
                    session.set_pace(&self.poll);
                }
            }
        }
    }

    /// What has to be told or done after a round.
    fn after(&mut self) {
        self.tell_ended_streams();
        self.flush();
        if self.removal.is_some_and(|(at, _)| at <= Instant::now()) {
            self.try_removal();
        }
        if self.removal.is_none() && !self.shutdown.is_empty() {
            for (connection, serial) in std::mem::take(&mut self.shutdown) {
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.reply(serial, Ok(Answer::Done));
                }
            }
            self.leaving = Some(Instant::now() + CLIENT_PATIENCE);
            self.flush();
        }
    }

    /// Whether anybody may still want something of us.
    fn is_needed(&self) -> bool {
        if let Some(until) = self.leaving {
            let clients = self.sessions.values().any(|session| !session.clients.is_empty());
            return clients && Instant::now() < until;
        }
        let idle = matches!(self.sessions.get(&INIT).map(|session| &session.state), Some(State::Waiting));
        !(idle && self.connections.is_empty() && self.removal.is_none())
    }

    fn timeout(&self) -> Option<Duration> {
        let removal = self.removal.map(|(at, _)| at);
        let next = [removal, self.leaving].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let accepted = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        let id = self.next_connection;
        self.next_connection += 1;
        match accepted.and_then(|socket| Connection::new(&self.poll, socket, id)) {
            Ok(connection) => drop(self.connections.insert(id, connection)),
            Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => {}
            // No descriptor is left: the caller waits until a connection ends, and we need not ask until then.
            Err(_) => self.listener.iter_mut().for_each(|listener| listener.pause(&self.poll)),
        }
    }

    fn on_connection(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.fill();
        while let Some(asked) = self.connections.get_mut(&id).and_then(Connection::next) {
            let serial = asked.serial;
            if let Some(result) = self.answer(id, asked)
                && let Some(connection) = self.connections.get_mut(&id)
            {
                connection.reply(serial, result);
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        let connections = self.connections.iter_mut();
        let over = connections.filter_map(|(id, connection)| (!connection.flush(&self.poll)).then_some(*id));
        for id in over.collect::<Vec<_>>() {
            self.connections.remove(&id);
            self.sessions.values_mut().for_each(|session| session.let_held_go(&self.poll, id));
            if let Some(Err(errno)) = self.listener.as_mut().map(|listener| listener.want(&self.poll, EventFlags::IN)) {
                eprintln!("waiting for connections: {errno}");
            }
        }
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        for connection in self.connections.values_mut().filter(|connection| connection.subscribed) {
            connection.tell(event);
        }
    }

    pub(crate) fn tell_ended_streams(&mut self) {
        let mut over = Vec::new();
        for (id, session) in &mut self.sessions {
            for wish in session.ended.drain(..) {
                let (connection, stream) = wish.origin;
                if let Some(connection) = self.connections.get_mut(&connection) {
                    connection.tell(&Event::StreamEnded { stream });
                }
            }
            let useless = matches!(session.state, State::Waiting) && session.clients.is_empty() && *id != INIT;
            if useless || session.forgotten && session.is_over() {
                over.push(*id);
            }
        }
        over.iter().for_each(|id| drop(self.sessions.remove(id)));
    }

    pub(crate) fn subscribe(&mut self, connection: u32) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.subscribed = true;
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.container.is_some() && self.cgroup.is_frozen().unwrap_or(false)
    }

    pub(crate) fn init_pid(&self) -> Option<u32> {
        match self.sessions.get(&INIT)?.state {
            State::Running { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// Writes all output until now to the log.
    pub(crate) fn sync_log(&mut self) -> Option<u64> {
        let session = self.sessions.get_mut(&INIT)?;
        session.catch_up(&self.poll, &mut self.buffer);
        session.log_position(&self.poll)
    }

    /// Length of the log when all that was read so far is in it.
    pub(crate) fn session_log_position(&mut self, process: &Process) -> Result<Option<u64>, Refusal> {
        let (poll, session) = self.poll_and_session(process)?;
        Ok(session.log_position(poll))
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| !session.forgotten)
    }

    pub(crate) fn poll_and_sessions(&mut self) -> (&Poll, impl Iterator<Item = &mut Session>) {
        (&self.poll, self.sessions.values_mut())
    }

    pub(crate) fn session(&self, process: &Process) -> Result<&Session, Refusal> {
        self.sessions().find(|session| session.process == *process).ok_or(Refusal::Unknown)
    }

    pub(crate) fn poll_and_session(&mut self, process: &Process) -> Result<(&Poll, &mut Session), Refusal> {
        let mut sessions = self.sessions.values_mut().filter(|session| !session.forgotten);
        let session = sessions.find(|session| session.process == *process).ok_or(Refusal::Unknown)?;
        Ok((&self.poll, session))
    }

    /// Makes an exec's session if there is none.
    pub(crate) fn session_to_be(&mut self, process: &Process) {
        if self.session(process).is_err() {
            let id = self.next_session;
            self.next_session += 1;
            self.sessions.insert(id, Session::new(id, process.clone()));
        }
    }

    pub(crate) fn drop_session(&mut self, process: &Process) {
        self.sessions.retain(|_, session| session.process != *process);
    }

    /// Its state need not be kept; clients that have not taken everything are served on.
    pub(crate) fn forgotten(&mut self, process: &Process) {
        if let Ok((_, session)) = self.poll_and_session(process) {
            session.forgotten = true;
        }
    }
}

/// Takes as many descriptors as may be had: a client, an exec, a daemon costs a few each. Gives what there was.
fn raise_open_files() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    if before.current != before.maximum {
        let _ = setrlimit(Resource::Nofile, process::Rlimit { current: before.maximum, ..before }); // Fewer, then.
    }
    let number = |bound: Option<u64>| bound.unwrap_or(u64::MAX);
    Rlimit { resource: NOFILE, soft: number(before.current), hard: number(before.maximum) }
}

/// The socket in the current directory, by which the daemon finds us again.
fn listen_at_socket() -> Result<OwnedFd, Errno> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let address = SocketAddrUnix::new(SOCKET)?;
    match bind(&socket, &address) {
        // A shim that was killed left it; the daemon never runs two in one directory.
        Err(Errno::ADDRINUSE) => {
            rustix::fs::unlink(SOCKET)?;
            bind(&socket, &address)?;
        }
        result => result?,
    }
    rustix::fs::chmod(SOCKET, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    listen(&socket, 16)?;
    Ok(socket)
}
