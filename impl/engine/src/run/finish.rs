//! The end of a run: what it means for the container, and taking apart what it held.

use super::Live;
use crate::chores::blocking;
use crate::container::{Alarm, Body, Container, Phase};
use crate::events::{Action, Death};
use crate::state::{Exit, Exited};
use crate::{Engine, Error};
use drydock_core::Timestamp;
use drydock_shim_protocol::Request;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

impl Engine {
    /// Ends the run number `run` of a container, unless that is over already. Its policy may begin the next one.
    pub(crate) async fn finish(&self, container: &Arc<Container>, run: u64, how: Exit, at: Timestamp) {
        let Ok(mut body) = container.lock().await else { return };
        if container.progress.borrow().starts != run {
            return;
        }
        let live = match body.phase.take() {
            Phase::Running(live) | Phase::Paused(live) => live,
            other => return body.phase = other,
        };
        let oom = live.facts.oom_killed;
        let exited = Exited { how: how.clone(), started_at: live.facts.started_at, finished_at: at, oom_killed: oom };
        let mut live = *live;
        self.rest(container, &mut body, exited);
        // Between two runs a container stays where it is in the network.
        match &mut body.phase {
            Phase::Waiting(_, _, kept) => *kept = live.network.take().map(Box::new),
            _ => body.network = Arc::default(),
        }
        self.forget_execs(&mut body);
        let ports = self.take_apart(container, &mut body, live, &how);
        container.publish(&body);
        // A port that is free again is part of the exit: the next start may want it.
        ports.await;
        if oom {
            self.tell(container, Action::Oom);
        }
        self.tell(container, Action::Die(Death::Ran));
        container.progress.send_modify(|progress| {
            progress.exits += 1;
            progress.last_exit = Some(how);
        });
    }

    /// After a run: Waiting, if the policy says so, else Exited.
    pub(crate) fn rest(&self, container: &Arc<Container>, body: &mut Body, exited: Exited) {
        let ran = exited.finished_at.since(exited.started_at);
        let well = exited.how == Exit::Code(0);
        let (policy, counting) = (&body.definition.host_config.restart_policy, body.definition.retry_counting);
        let delay = match body.stopping || body.removing || self.is_closing() {
            true => None,
            false => body.restarts.after_exit(policy, counting, well, ran),
        };
        body.phase = match delay {
            Some(delay) => Phase::Waiting(exited, self.begin_after(container, delay), None),
            None => Phase::Exited(exited),
        };
    }

    /// Waiting → Exited, at a client's wish.
    pub(crate) async fn stop_waiting(&self, container: &Container, body: &mut Body) {
        match body.phase.take() {
            Phase::Waiting(exited, _, kept) => {
                body.phase = Phase::Exited(exited);
                body.network = Arc::default();
                blocking(move || drop(kept)).await;
            }
            other => body.phase = other,
        }
        container.publish(body);
        self.record_later(container, body);
        container.progress.send_modify(|progress| progress.exits += 1);
    }

    fn begin_after(&self, container: &Arc<Container>, delay: Duration) -> Alarm {
        let (owner, gone) = oneshot::channel::<()>();
        let (engine, container) = (Arc::downgrade(&self.0), Arc::clone(container));
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                _ = gone => return,
            }
            if let Some(engine) = engine.upgrade() {
                Engine(engine).begin_again(&container).await;
            }
        });
        Alarm { _owner: owner }
    }

    /// Takes apart what a run held, as a chore: the record of the exit is written first, then the shim forgets it.
    /// The future that comes back ends when the run's ports are free.
    fn take_apart(
        &self,
        container: &Container,
        body: &mut Body,
        live: Live,
        how: &Exit,
    ) -> impl Future<Output = ()> + use<> {
        let record = body.run_record(container.id);
        let (engine, id) = (self.clone(), container.id);
        let parent = self.cgroup_parent(&body.definition.host_config);
        let lost = *how == Exit::Unknown;
        let (freed, ports) = oneshot::channel::<()>();
        let Live { shim, network, dir, .. } = live;
        body.teardown = Some(self.0.chores.spawn(async move {
            let written = async {
                let record = record?;
                engine.0.store.commit(vec![record]).await
            };
            let release = blocking(move || {
                drop(network);
                drop(freed);
            });
            let (written, ()) = tokio::join!(written, release);
            if let Err(error) = written {
                tracing::error!(%id, %error, "an exit was not recorded");
            }
            if lost || shim.done(Request::Shutdown).await.is_err() {
                engine.clean_up_after_shim(id, dir.clone(), parent).await;
            }
            drop(shim);
            blocking(move || drop(std::fs::remove_dir_all(dir))).await;
        }));
        async move { drop(ports.await) }
    }

    /// Removes what a shim that died has left.
    pub(crate) async fn clean_up_after_shim(&self, id: drydock_core::Id, dir: std::path::PathBuf, parent: String) {
        let program = self.0.settings.shim.clone();
        let cleaned = blocking(move || drydock_shim_protocol::cleanup(&program, &dir, &id.to_string(), &parent)).await;
        if let Err(error) = cleaned {
            tracing::error!(%id, %error, "a container's processes or cgroups were not all removed");
        }
    }

    /// Lets readers see what changed, and has it written. For what can be found out again after a crash.
    pub(crate) fn changed(&self, container: &Container, body: &Body) -> Result<(), Error> {
        container.publish(body);
        self.0.store.commit_later(vec![body.run_record(container.id)?]);
        Ok(())
    }

    /// Has the state written; a record that cannot be made is a bug that the log tells.
    pub(crate) fn record_later(&self, container: &Container, body: &Body) {
        match body.run_record(container.id) {
            Ok(record) => self.0.store.commit_later(vec![record]),
            Err(error) => tracing::error!(id = %container.id, %error, "a state was not recorded"),
        }
    }
}
