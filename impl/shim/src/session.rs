//! A process with its stdio and its clients: the container's first one, or an exec.

use crate::client::{Client, Gone, Wish};
use crate::input::Input;
use crate::log::Log;
use crate::poll::{Poll, Ready, Token, Watched};
use drydock_core::Timestamp;
use drydock_logs::Stream;
use drydock_runtime::Child;
use drydock_runtime::stdio::ShimEnds;
use drydock_shim_protocol::{Exit, InputEnd, Process};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

pub(crate) struct Session {
    id: u32,
    pub(crate) process: Process,
    pub(crate) state: State,
    /// Stdout, or the terminal; stderr.
    pub(crate) outputs: [Option<Watched>; 2],
    /// Whose pipe was made wider.
    pub(crate) widened: [bool; 2],
    pub(crate) input: Input,
    terminal: bool,
    /// Keeps the terminal's output from ending before its process.
    slave: Option<OwnedFd>,
    stdin_once: bool,
    pub(crate) clients: BTreeMap<u32, Client>,
    next_client: u32,
    /// Input that came with clients before there was a process.
    early: Vec<u8>,
    pub(crate) log: Option<Log>,
    /// Bytes in the log file when it was closed.
    pub(crate) log_end: Option<u64>,
    /// Clients that are no more, for the loop to tell.
    pub(crate) ended: Vec<Wish>,
    /// The engine knows its exit.
    pub(crate) forgotten: bool,
}

pub(crate) enum State {
    /// Clients may attach, but nothing runs yet.
    Waiting,
    Running {
        pid: u32,
        since: Timestamp,
        pidfd: Watched,
    },
    Exited {
        pid: u32,
        since: Timestamp,
        exit: Exit,
        at: Timestamp,
    },
}

impl Session {
    pub(crate) fn new(id: u32, process: Process) -> Self {
        Self {
            id,
            process,
            state: State::Waiting,
            outputs: [None, None],
            widened: [false, false],
            input: Input::default(),
            terminal: false,
            slave: None,
            stdin_once: false,
            clients: BTreeMap::new(),
            next_client: 0,
            early: Vec::new(),
            log: None,
            log_end: None,
            ended: Vec::new(),
            forgotten: false,
        }
    }

    /// Its process runs from now on. On failure it is as before.
    pub(crate) fn start(
        &mut self,
        poll: &Poll,
        child: &Child,
        ends: ShimEnds,
        stdin_once: bool,
        log: Option<Log>,
    ) -> Result<(), Errno> {
        let pidfd = rustix::io::fcntl_dupfd_cloexec(&child.pidfd, 0)?;
        let mut pidfd = Watched::new(pidfd, Token::Exit(self.id));
        pidfd.want(poll, EventFlags::IN)?;
        let output = |descriptor, stream| Some(Watched::new(descriptor, Token::Output(self.id, stream)));
        let (mut outputs, stdin, slave) = match ends {
            ShimEnds::Pipes { stdin, stdout, stderr } => ([output(stdout, 0), output(stderr, 1)], stdin, None),
            ShimEnds::Terminal { master, slave } => {
                let copy = rustix::io::fcntl_dupfd_cloexec(&master, 0)?;
                ([output(master, 0), None], Some(copy), Some(slave))
            }
        };
        for output in outputs.iter_mut().flatten() {
            output.want(poll, EventFlags::IN)?;
        }
        let pid = child.pid.as_raw_nonzero().get() as u32;
        self.state = State::Running { pid, since: Timestamp::now(), pidfd };
        self.outputs = outputs;
        self.input = Input::new(stdin.map(|stdin| Watched::new(stdin, Token::Input(self.id))));
        (self.terminal, self.slave, self.stdin_once, self.log) = (slave.is_some(), slave, stdin_once, log);
        let early = std::mem::take(&mut self.early);
        self.input.write(poll, &early);
        self.listen(poll);
        Ok(())
    }

    /// The terminal, for its window.
    pub(crate) fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.input.stdin().filter(|_| self.terminal).map(AsFd::as_fd)
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// Whether nothing of it is left but what was told.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Exited { .. })
            && self.clients.is_empty()
            && self.outputs.iter().all(Option::is_none)
    }

    /// A client becomes stdio. `early`: input that the engine had read.
    pub(crate) fn attach(
        &mut self,
        poll: &Poll,
        socket: OwnedFd,
        wish: Wish,
        held: bool,
        early: &[u8],
        spool: Rc<Path>,
    ) -> io::Result<()> {
        let id = self.next_client;
        self.next_client += 1;
        let takes_input = wish.streams.stdin;
        let mut client = Client::new(socket, Token::Client(self.id, id), wish, held, spool)?;
        if let Some(log) = self.log.as_ref().filter(|_| held) {
            for stream in Stream::BOTH.into_iter().filter(|stream| !log.unfinished(*stream).is_empty()) {
                if client.wants(stream) {
                    let _ = client.send(poll, stream, log.unfinished(stream)); // Held: it goes to memory.
                }
            }
        }
        if self.over_for_clients() {
            client.end();
        }
        self.clients.insert(id, client);
        if takes_input {
            match self.state {
                State::Waiting => self.early.extend_from_slice(early),
                _ => self.type_in(poll, id, early),
            }
        }
        self.listen(poll);
        self.flush_client(poll, id);
        Ok(())
    }

    /// Lets a held client go on. `false`: there is no such stream.
    pub(crate) fn release(&mut self, poll: &Poll, origin: (u32, u64)) -> bool {
        let found = self.clients.iter_mut().find(|(_, client)| client.wish.origin == origin);
        let Some((id, client)) = found else { return false };
        client.held = false;
        let id = *id;
        self.flush_client(poll, id);
        true
    }

    /// Lets clients go that were held by a daemon which is gone: nobody would release them, and they miss the log.
    pub(crate) fn let_held_go(&mut self, poll: &Poll, connection: u32) {
        let held = self.clients.iter().filter(|(_, client)| client.held && client.wish.origin.0 == connection);
        let ids: Vec<u32> = held.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.let_go(poll, id));
        self.set_pace(poll);
    }

    /// A client's socket is ready.
    pub(crate) fn on_client(&mut self, poll: &Poll, id: u32, ready: Ready, buffer: &mut [u8]) {
        if ready.writable() {
            self.flush_client(poll, id);
        }
        if !ready.hung_up() {
            return self.read_client(poll, id, buffer);
        }
        // It left altogether. What it sent before counts, piece by piece as the process takes it.
        let Some(client) = self.clients.get_mut(&id) else { return };
        if matches!(self.state, State::Waiting) || !client.may_send() {
            return self.let_go(poll, id);
        }
        if !self.input.has_room() {
            return client.pause(poll);
        }
        self.read_client(poll, id, buffer);
        if self.clients.get(&id).is_some_and(|client| !client.may_send()) {
            self.let_go(poll, id);
        }
    }

    /// A client cannot be given output any more.
    pub(crate) fn lose(&mut self, poll: &Poll, id: u32) {
        match self.clients.get_mut(&id) {
            Some(client) if client.may_send() && self.input.stdin().is_some() => client.deafen(),
            _ => self.let_go(poll, id),
        }
    }

    /// The process's stdin takes more.
    pub(crate) fn on_input(&mut self, poll: &Poll) {
        self.input.flush(poll);
        self.listen(poll);
    }

    /// Looks whether the process has ended; its output may still be on the way.
    pub(crate) fn reap(&mut self, poll: &Poll) -> Option<Exit> {
        let State::Running { pid, since, pidfd } = &mut self.state else { return None };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        let exit = match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
            Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code as u8),
                (None, signal) => Exit::Signal(signal.unwrap_or(9) as u8),
            },
            Ok(None) => return None,
            Err(_) => Exit::Signal(9), // Somebody else reaped it, which nobody can: it is dead all the same.
        };
        pidfd.pause(poll);
        self.state = State::Exited { pid: *pid, since: *since, exit, at: Timestamp::now() };
        self.input.close();
        self.slave = None;
        Some(exit)
    }

    /// No more output will come: clients get what they have not taken, then the end.
    pub(crate) fn end_output(&mut self, poll: &Poll) {
        for output in self.outputs.iter_mut().filter_map(Option::take) {
            drop(output.into_inner(poll));
        }
        if let Some(log) = self.log.take() {
            self.log_end = log.close(Timestamp::now());
        }
        let ids: Vec<u32> = self.clients.keys().copied().collect();
        for id in ids {
            if let Some(client) = self.clients.get_mut(&id) {
                client.end();
            }
            self.flush_client(poll, id);
        }
    }

    /// Gives all clients' sockets up untouched: what they waited for did not come to be.
    pub(crate) fn abandon_clients(&mut self, poll: &Poll) {
        while let Some((_, client)) = self.clients.pop_first() {
            client.abandon(poll);
        }
        self.early = Vec::new();
    }

    /// Ends a client's stream: it left, or wishes to, or has all.
    pub(crate) fn let_go(&mut self, poll: &Poll, id: u32) {
        let Some(client) = self.clients.remove(&id) else { return };
        if client.wish.streams.stdin && self.stdin_once && !self.terminal {
            self.input.end(poll);
        }
        self.ended.push(client.wish.clone());
        client.close(poll);
    }

    fn over_for_clients(&self) -> bool {
        matches!(self.state, State::Exited { .. }) && self.outputs.iter().all(Option::is_none)
    }

    fn flush_client(&mut self, poll: &Poll, id: u32) {
        match self.clients.get_mut(&id).map(|client| client.flush(poll)) {
            None | Some(Ok(false)) => {}
            Some(Ok(true)) => self.let_go(poll, id),
            Some(Err(Gone)) => self.lose(poll, id),
        }
    }

    fn read_client(&mut self, poll: &Poll, id: u32, buffer: &mut [u8]) {
        if !self.input.has_room() || matches!(self.state, State::Waiting) {
            return;
        }
        let Some(client) = self.clients.get_mut(&id).filter(|client| client.wish.streams.stdin) else { return };
        match client.read(buffer) {
            Ok(None) => {}
            Ok(Some(0)) => self.end_of_input(poll, id),
            Ok(Some(length)) => self.type_in(poll, id, &buffer[..length]),
            Err(Gone) => self.let_go(poll, id),
        }
        self.listen(poll);
    }

    fn type_in(&mut self, poll: &Poll, id: u32, bytes: &[u8]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.wish.detach_keys.is_empty() {
            return self.input.write(poll, bytes);
        }
        let (plain, detached) = client.without_keys(bytes);
        self.input.write(poll, &plain);
        if detached {
            self.let_go(poll, id);
        }
    }

    fn end_of_input(&mut self, poll: &Poll, id: u32) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match client.wish.input_end {
            InputEnd::Close if !self.terminal => self.input.end(poll),
            InputEnd::Close | InputEnd::Ignore => {}
            InputEnd::Detach => return self.let_go(poll, id),
        }
        let _ = client.listen(poll, false); // The end is there to be read for ever.
    }

    /// Clients are read while the process takes what they send.
    fn listen(&mut self, poll: &Poll) {
        let listening = self.input.has_room() && !matches!(self.state, State::Waiting);
        let takers = self.clients.iter_mut().filter(|(_, client)| client.wish.streams.stdin);
        let gone: Vec<u32> =
            takers.filter_map(|(id, client)| client.listen(poll, listening).is_err().then_some(*id)).collect();
        gone.into_iter().for_each(|id| self.let_go(poll, id));
    }
}
