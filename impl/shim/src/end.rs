//! How processes and the container end, and what is removed then.

use crate::poll::{Token, Watched};
use crate::session::{Session, State};
use crate::shim::{INIT, Shim};
use drydock_core::Timestamp;
use drydock_runtime::kill;
use drydock_shim_protocol::{Answer, Event, Process, Refusal, SOCKET};
use rustix::event::epoll::EventFlags;
use std::time::{Duration, Instant};

/// A killed process leaves its cgroup within microseconds to milliseconds.
const REMOVE_FIRST: Duration = Duration::from_millis(1);
const REMOVE_LAST: Duration = Duration::from_millis(100);

/// How long processes without a pid namespace of their own are killed over and over: they may make new ones.
const KILL: Duration = Duration::from_secs(1);

impl Shim {
    pub(crate) fn on_exec_exit(&mut self, id: u32) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(exit) = session.reap(&self.poll) else { return };
        // What it wrote is in the pipes by now; processes that it left behind may write on.
        session.catch_up(&self.poll, &mut self.buffer);
        let (Process::Exec(exec), State::Exited { at, .. }) = (&session.process, &session.state) else { return };
        let event = Event::ExecExited { exec: exec.clone(), exit, at: *at };
        self.tell_ended_streams();
        self.tell(&event);
    }

    pub(crate) fn on_init_exit(&mut self) {
        let Some(exit) = self.sessions.get_mut(&INIT).and_then(|session| session.reap(&self.poll)) else { return };
        if !self.own_pids {
            self.kill_the_rest();
        }
        let ids: Vec<u32> = self.sessions.keys().copied().filter(|id| *id != INIT).collect();
        for id in ids {
            self.on_exec_exit(id);
            if let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.is_running()) {
                session.finish_output(&self.poll, &mut self.buffer);
            }
        }
        self.check_oom();
        self.oom = None;
        let Some(session) = self.sessions.get_mut(&INIT) else { return };
        session.finish_output(&self.poll, &mut self.buffer);
        let State::Exited { at, .. } = session.state else { return };
        self.tell_ended_streams();
        self.tell(&Event::Exited { exit, at });
        // Sent now: whoever waits for the exit need not wait for the cgroup.
        self.flush();
        self.remove_cgroup();
    }

    /// Without a pid namespace of their own the other processes outlive the first.
    fn kill_the_rest(&mut self) {
        let deadline = Instant::now() + KILL;
        while let Ok(processes) = self.cgroup.processes()
            && !processes.is_empty()
            && Instant::now() < deadline
        {
            kill(&self.cgroup, &processes);
            // Ours among them are zombies until they are reaped, and stay in the cgroup.
            let ids: Vec<u32> = self.sessions.keys().copied().filter(|id| *id != INIT).collect();
            ids.into_iter().for_each(|id| self.on_exec_exit(id));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn watch_oom(&mut self) {
        let watch = match self.cgroup.watch_oom() {
            Ok(watch) => watch,
            Err(error) => return eprintln!("watching for lack of memory: {error}"),
        };
        self.oom = watch.map(|watch| {
            let event = watch.event().and_then(|event| event.try_clone_to_owned().ok());
            let mut event = event.map(|event| Watched::new(event, Token::OutOfMemory));
            if let Some(event) = &mut event {
                let _ = event.want(&self.poll, EventFlags::IN); // Else it is found at the exit.
            }
            (watch, event)
        });
    }

    pub(crate) fn check_oom(&mut self) {
        let Some((watch, _)) = &self.oom else { return };
        if watch.kills() > 0 && !std::mem::replace(&mut self.oom_killed, true) {
            self.tell(&Event::OutOfMemory { at: Timestamp::now() });
        }
    }

    /// Removes the cgroup, now or as soon as it is no longer busy.
    pub(crate) fn remove_cgroup(&mut self) {
        self.removal = Some((Instant::now(), REMOVE_FIRST));
        self.try_removal();
    }

    pub(crate) fn try_removal(&mut self) {
        let Some((_, pause)) = self.removal else { return };
        self.removal =
            if self.cgroup.remove() { None } else { Some((Instant::now() + pause, (pause * 2).min(REMOVE_LAST))) };
    }

    /// See [`drydock_shim_protocol::Request::Shutdown`].
    pub(crate) fn shut_down(&mut self, connection: u32, serial: u64) -> Option<Result<Answer, Refusal>> {
        if self.sessions.get(&INIT).is_some_and(Session::is_running) {
            return Some(Err(Refusal::Running));
        }
        self.remove_socket();
        self.shutdown.push((connection, serial));
        None
    }

    pub(crate) fn remove_socket(&mut self) {
        if self.listener.take().is_some() {
            let _ = std::fs::remove_file(SOCKET); // Whoever removed it before us wanted the same.
        }
    }
}
