//! All execs there are.

use super::{ExecCreate, ExecState};
use crate::container::{Body, Container, record};
use crate::state::Exit;
use crate::store::{Change, Table};
use crate::{Engine, Error};
use drydock_core::Id;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Execs that ended and are kept for those who ask, per container.
const KEPT: usize = 1000;

/// An exec.
pub(crate) struct Exec {
    pub(crate) id: Id,
    pub(crate) container: Arc<Container>,
    pub(crate) command: ExecCreate,
    pub(crate) state: watch::Sender<ExecState>,
}

/// What is kept of an exec on disk.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExecRecord {
    pub(crate) container: Id,
    pub(crate) command: ExecCreate,
    pub(crate) state: ExecState,
}

/// Execs by id.
#[derive(Default)]
pub(crate) struct ExecTable(Mutex<Known>);

#[derive(Default)]
struct Known {
    execs: HashMap<Id, Arc<Exec>>,
    /// Execs that were not started before their container's run ended, with the container: the last [`UNSTARTED`].
    unstarted: VecDeque<(Id, Id)>,
}

/// Enough for a client that starts what it made a moment ago.
const UNSTARTED: usize = 64;

impl ExecTable {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, exec: Arc<Exec>) {
        self.lock().execs.insert(exec.id, exec);
    }

    pub(crate) fn get(&self, id: Id) -> Option<Arc<Exec>> {
        self.lock().execs.get(&id).cloned()
    }

    /// The container of an exec that went with its run before it was started.
    pub(crate) fn unstarted(&self, reference: &str) -> Option<Id> {
        let id: Id = reference.parse().ok()?;
        self.lock().unstarted.iter().find(|(exec, _)| *exec == id).map(|(_, container)| *container)
    }

    /// The exec that a client means: a whole id.
    pub(crate) fn find(&self, reference: &str) -> Result<Arc<Exec>, Error> {
        let found = reference.parse().ok().and_then(|id| self.get(id));
        found.ok_or_else(|| Error::NoSuchExec(reference.to_owned()))
    }

    fn remove(&self, id: Id) {
        self.lock().execs.remove(&id);
    }

    fn remember(&self, exec: &Exec) {
        let unstarted = &mut self.lock().unstarted;
        unstarted.truncate(UNSTARTED - 1);
        unstarted.push_front((exec.id, exec.container.id));
    }
}

impl Exec {
    pub(crate) fn record(&self) -> Result<Change, Error> {
        let record_ = ExecRecord {
            container: self.container.id,
            command: self.command.clone(),
            state: self.state.borrow().clone(),
        };
        record(Table::Execs, self.id, &record_)
    }
}

impl Engine {
    /// Keeps what is known of an exec; written soon.
    pub(crate) fn record_exec(&self, exec: &Exec) {
        match exec.record() {
            Ok(record) => self.0.store.commit_later(vec![record]),
            Err(error) => tracing::error!(id = %exec.id, %error, "an exec was not recorded"),
        }
    }

    /// An exec ended.
    pub(crate) async fn exec_exited(&self, container: &Container, exec: &str, exit: Exit) {
        let Ok(exec) = self.0.execs.find(exec) else { return };
        exec.state.send_replace(ExecState::Exited(exit));
        let record = match exec.record() {
            Ok(record) => record,
            Err(error) => return tracing::error!(id = %exec.id, %error, "an exec was not recorded"),
        };
        let shim = match container.lock().await {
            Ok(mut body) => {
                self.drop_old_execs(&mut body);
                container.publish(&body);
                body.phase.live().map(|live| Arc::clone(&live.shim))
            }
            Err(_) => None,
        };
        // The shim keeps the exit until it is on disk.
        let engine = self.clone();
        self.0.chores.spawn(async move {
            let written = engine.0.store.commit(vec![record]).await;
            if let (Ok(()), Some(shim)) = (written, shim) {
                let _ = shim.done(drydock_shim_protocol::Request::Forget { exec: exec.id.to_string() }).await;
            }
        });
    }

    fn drop_old_execs(&self, body: &mut Body) {
        if body.execs.len() <= KEPT {
            return;
        }
        let ended =
            |id: &Id| self.0.execs.get(*id).is_none_or(|exec| matches!(*exec.state.borrow(), ExecState::Exited(_)));
        if let Some(at) = body.execs.iter().position(ended) {
            let id = body.execs.remove(at);
            self.forget_exec(id);
        }
    }

    /// Execs end with the run of their container.
    pub(crate) fn forget_execs(&self, body: &mut Body) {
        for id in body.execs.drain(..) {
            self.forget_exec(id);
        }
    }

    fn forget_exec(&self, id: Id) {
        if let Some(exec) = self.0.execs.get(id) {
            if *exec.state.borrow() == ExecState::Created {
                self.0.execs.remember(&exec);
            }
            exec.state.send_if_modified(|state| match state {
                ExecState::Exited(_) => false,
                _ => {
                    *state = ExecState::Exited(Exit::Signal(9));
                    true
                }
            });
        }
        self.0.execs.remove(id);
        self.0.store.commit_later(vec![Change { table: Table::Execs, key: *id.as_bytes(), record: None }]);
    }
}
