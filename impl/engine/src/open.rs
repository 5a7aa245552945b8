//! Opening the engine: what an earlier life left, and ending it.
//!
//! Containers whose shim answers go on as if nothing had been. Those whose shim is gone are over, and nobody knows how.
//! Whatever no record knows (directories, mounts, shims of starts that nobody was told of) is removed in the
//! background: nothing of it can be asked for.

use crate::chores::{Chores, blocking};
use crate::config::CreateRules;
use crate::container::{Body, Container, Definition, Phase, RunRecord};
use crate::engine::Inner;
use crate::events::Board;
use crate::exec::{Exec, ExecRecord, ExecState, ExecTable};
use crate::registry::Registry;
use crate::run::{Live, Shim, supervise};
use crate::state::{Exit, Exited, Running, State};
use crate::store::{Records, Store};
use crate::volumes::VolumePlace;
use crate::{Engine, Error, Settings, StoreError};
use drydock_core::{Id, Timestamp};
use drydock_images::Images;
use drydock_network::Network;
use drydock_shim_protocol::{Answer, InitStatus, Request, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Time from TERM to KILL when the daemon ends.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

impl Engine {
    /// Opens the store, finds running containers again, and begins to remove what an earlier life left behind and to
    /// start those whose policy says so.
    ///
    /// # Errors
    /// When the store cannot be opened or read.
    pub async fn open(settings: Settings, images: Images, network: Network) -> Result<Self, Error> {
        let root = settings.root.clone();
        let (store, records) = blocking(move || {
            let make = |dir: &Path| {
                let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
                made.map_err(|source| Error::Io { what: "making", path: dir.to_owned(), source })
            };
            make(&root.join("containers"))?;
            for place in VolumePlace::ALL {
                make(&place.parent(&root))?;
            }
            Store::open(&root.join("containers.redb"))
        })
        .await?;
        let [containers, runs, execs, volumes] = records;
        let engine = Self(Arc::new(Inner {
            settings,
            images,
            network,
            store,
            registry: Registry::default(),
            execs: ExecTable::default(),
            board: Board::default(),
            chores: Chores::default(),
            closing: AtomicBool::new(false),
        }));
        let again = engine.restore(containers, runs).await?;
        engine.restore_execs(&execs).await;
        let known: BTreeSet<Id> = volumes.into_iter().map(|(key, _)| Id::from_bytes(key)).collect();
        // Looked for before anybody makes something that would look the same.
        let looking = engine.clone();
        let leftovers = blocking(move || looking.leftovers(&known)).await;
        let sweeper = engine.clone();
        engine.0.chores.spawn(async move {
            sweeper.sweep(leftovers).await;
            sweeper.begin_all(again).await;
        });
        Ok(engine)
    }

    /// Makes the containers of the records. Returns those that are to be started.
    async fn restore(&self, containers: Records, runs: Records) -> Result<Vec<Arc<Container>>, Error> {
        let runs: BTreeMap<[u8; 32], Vec<u8>> = runs.into_iter().collect();
        let mut found = Vec::new();
        for (key, record) in containers {
            let id = Id::from_bytes(key);
            let definition: Definition = self.read(id, &record)?;
            let run: Option<RunRecord> = runs.get(&key).map(|record| self.read(id, record)).transpose()?;
            found.push((id, definition, run));
        }
        for (id, definition, _) in &found {
            for (alias, child) in &definition.links {
                self.0.registry.link(*id, alias, *child);
            }
        }
        let mut again = Vec::new();
        let mut checks = Vec::new();
        for (id, definition, run) in found {
            let name = definition.name.clone();
            let state = run.as_ref().map_or(State::Created, |run| run.state.clone());
            let policy = definition.host_config.restart_policy.name.clone();
            let mut body = Body::new(definition, resting(&state));
            if let Some(run) = &run {
                body.restarts.count = run.restart_count;
                body.files = Arc::clone(&run.files);
            }
            let container = Arc::new(Container::new(id, self.driver(), body));
            self.0.registry.restore(Arc::clone(&container), name);
            let well = matches!(&state, State::Exited(exited) if exited.how == Exit::Code(0));
            let starts = match (policy.as_str(), &state) {
                (_, State::Created | State::Dead(_)) => false,
                ("always", _) => true,
                ("on-failure", _) => !well,
                _ => false,
            };
            if starts && self.0.settings.restart {
                again.push(Arc::clone(&container));
            }
            if let (State::Running(facts) | State::Paused(facts), Some(run)) = (&state, run) {
                let (engine, facts) = (self.clone(), facts.clone());
                checks.push(tokio::spawn(async move { engine.find_again(&container, facts, run).await }));
            }
        }
        for check in checks {
            let _ = check.await;
        }
        Ok(again)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, id: Id, record: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(record).map_err(|source| Error::Store {
            path: self.0.settings.root.join("containers.redb"),
            source: Arc::new(StoreError::Record { id: id.to_string(), source }),
        })
    }

    /// Finds the shim of a container that ran, or what became of it.
    async fn find_again(&self, container: &Arc<Container>, facts: Running, run: RunRecord) {
        let dir = self.runtime_dir(container.id);
        match self.ask_shim(&dir).await {
            Some((shim, events, status)) => {
                let Ok(mut body) = container.lock().await else { return };
                let network = match run.attachment {
                    None => None,
                    Some(record) => {
                        let engine = self.clone();
                        blocking(move || engine.0.network.claim(record)).await.map_or_else(
                            |error| {
                                tracing::warn!(id = %container.id, %error, "a network was not taken over");
                                None
                            },
                            Some,
                        )
                    }
                };
                let mut number = 0;
                container.progress.send_modify(|progress| {
                    progress.starts += 1;
                    number = progress.starts;
                });
                let supervisor = supervise(self, container, number, events);
                let facts = Running { oom_killed: facts.oom_killed || status.out_of_memory, ..facts };
                let namespace = run.namespace.unwrap_or(drydock_network::Namespace::Host);
                let live = Box::new(Live { facts, shim: Arc::new(shim), network, namespace, dir, supervisor });
                body.network = run.network;
                body.phase = if status.paused { Phase::Paused(live) } else { Phase::Running(live) };
                container.publish(&body);
                drop(body);
                // What it told while nobody listened.
                if let InitStatus::Exited { exit, at, .. } = status.init {
                    self.finish(container, number, exit.into(), at).await;
                }
            }
            None => self.lost(container, facts, dir).await,
        }
    }

    /// The shim in `dir`, if its container runs or ended and was not forgotten.
    async fn ask_shim(&self, dir: &Path) -> Option<(Shim, crate::run::ShimEvents, Status)> {
        let dir = dir.to_owned();
        let socket = blocking(move || drydock_shim_protocol::connect(&dir)).await.ok()?;
        let (shim, events) = Shim::new(socket).ok()?;
        match shim.ask(Request::Subscribe).await {
            Ok(Answer::Status(status)) if status.init != InitStatus::None => Some((shim, events, status)),
            _ => None,
        }
    }

    /// A container whose shim is gone.
    async fn lost(&self, container: &Arc<Container>, facts: Running, dir: PathBuf) {
        let Ok(mut body) = container.lock().await else { return };
        let exited = Exited {
            how: Exit::Unknown,
            started_at: facts.started_at,
            finished_at: Timestamp::now(),
            oom_killed: facts.oom_killed,
        };
        body.phase = Phase::Exited(exited);
        container.publish(&body);
        self.record_later(container, &body);
        let parent = self.cgroup_parent(&body.definition.host_config);
        let (engine, id) = (self.clone(), container.id);
        body.teardown = Some(self.0.chores.spawn(async move { engine.clear_runtime_dir(id, dir, parent).await }));
    }

    async fn clear_runtime_dir(&self, id: Id, dir: PathBuf, parent: String) {
        let at = dir.clone();
        if blocking(move || fs::create_dir_all(at)).await.is_ok() {
            self.clean_up_after_shim(id, dir.clone(), parent).await;
        }
        blocking(move || drop(fs::remove_dir_all(dir))).await;
    }

    /// Execs of containers that still run; an exec that ran when the daemon ended may have ended since.
    async fn restore_execs(&self, records: &Records) {
        for (key, record) in records {
            let id = Id::from_bytes(*key);
            let Ok(record) = serde_json::from_slice::<ExecRecord>(record) else { continue };
            let Some(container) = self.0.registry.get(record.container) else { continue };
            let Ok(mut body) = container.lock().await else { continue };
            let Some(live) = body.phase.live() else { continue };
            let state = match live.shim.ask(Request::Status).await {
                Ok(Answer::Status(status)) => exec_state(&record.state, &status, id),
                _ => record.state,
            };
            let (state, _) = watch::channel(state);
            let exec = Exec { id, container: Arc::clone(&container), command: record.command, state };
            self.0.execs.insert(Arc::new(exec));
            body.execs.push(id);
            container.publish(&body);
        }
    }

    /// Removes what no record knows.
    async fn sweep(&self, leftovers: Vec<PathBuf>) {
        let runtime = named_dirs(&self.0.settings.runtime_dir);
        for (id, dir) in runtime {
            let container = self.0.registry.get(id);
            // The lock keeps a start that is on its way apart from one that nobody was told of.
            let body = match &container {
                Some(container) => container.lock().await.ok(),
                None => None,
            };
            if body.as_ref().is_some_and(|body| body.phase.live().is_some() || body.teardown.is_some()) {
                continue;
            }
            let parent = match &body {
                Some(body) => self.cgroup_parent(&body.definition.host_config),
                None => self.0.settings.cgroup_parent.clone(),
            };
            self.clear_runtime_dir(id, dir, parent).await;
        }
        let engine = self.clone();
        blocking(move || engine.sweep_disk(leftovers)).await;
    }

    /// Directories of containers and volumes that no record knows. Mounts that a start left behind are taken down.
    fn leftovers(&self, volumes: &BTreeSet<Id>) -> Vec<PathBuf> {
        let root = &self.0.settings.root;
        let mut leftovers = Vec::new();
        for (id, dir) in named_dirs(&root.join("containers")) {
            let container = self.0.registry.get(id);
            let rootfs = dir.join("rootfs");
            if rootfs.exists() && container.as_ref().is_none_or(|container| !container.view().state.is_up()) {
                let _ = nix::mount::umount2(&rootfs, nix::mount::MntFlags::MNT_DETACH);
                let _ = fs::remove_dir(&rootfs);
            }
            if container.is_none() {
                leftovers.push(dir);
            }
        }
        let made = VolumePlace::ALL.into_iter().flat_map(|place| named_dirs(&place.parent(root)));
        leftovers.extend(made.filter(|(id, _)| !volumes.contains(id)).map(|(_, dir)| dir));
        leftovers
    }

    fn sweep_disk(&self, leftovers: Vec<PathBuf>) {
        let inner = &self.0;
        let told = |what: &str, error: &(dyn std::error::Error + 'static)| tracing::warn!(what, error, "not swept");
        for dir in leftovers {
            let _ = fs::remove_dir_all(&dir);
        }
        let ids: Vec<Id> = inner.registry.all().iter().map(|container| container.id).collect();
        if let Err(error) = inner.images.layers().sweep(&ids) {
            told("layers", &error);
        }
        if let Err(error) = inner.network.sweep() {
            told("network", &error);
        }
    }

    async fn begin_all(&self, containers: Vec<Arc<Container>>) {
        for container in containers {
            if container.view().state.is_up() {
                continue;
            }
            if let Err(error) = self.begin(&container, None, &CreateRules::default()).await {
                tracing::warn!(id = %container.id, %error, "a container was not started again");
            }
        }
    }

    pub(crate) fn runtime_dir(&self, id: Id) -> PathBuf {
        self.0.settings.runtime_dir.join(id.to_string())
    }

    /// Refuses new work, stops containers unless they are to go on, ends all streams, and waits until all teardown
    /// is finished.
    pub async fn shutdown(&self) {
        self.0.closing.store(true, Ordering::Relaxed);
        let all = self.0.registry.all();
        if self.0.settings.keep_running {
            for container in &all {
                self.leave(container).await;
            }
        } else {
            let stops: Vec<_> = all
                .into_iter()
                .filter(|container| container.view().state.is_up())
                .map(|container| {
                    let engine = self.clone();
                    tokio::spawn(async move { engine.stop_for_good(&container).await })
                })
                .collect();
            for stop in stops {
                let _ = stop.await;
            }
        }
        self.0.board.close();
        self.0.chores.finished().await;
        let network = self.0.network.clone();
        blocking(move || network.shutdown()).await;
    }

    async fn stop_for_good(&self, container: &Container) {
        if let Ok(mut body) = container.lock().await {
            // A frozen process hears no signal.
            let _ = self.thaw(container, &mut body).await;
        }
        if let Err(error) = self.end_gently(container, Some(SHUTDOWN_GRACE)).await {
            tracing::warn!(id = %container.id, %error, "a container was not stopped");
        }
    }

    /// Lets go of a container that goes on.
    async fn leave(&self, container: &Container) {
        let Ok(mut body) = container.lock().await else { return };
        if let Phase::Running(live) | Phase::Paused(live) = &mut body.phase {
            live.supervisor.abort();
            if let Some(network) = live.network.take() {
                network.leave();
            }
        }
    }
}

/// The phase of a container before its shim was looked for.
fn resting(state: &State) -> Phase {
    match state {
        State::Created => Phase::Created,
        State::Exited(exited) | State::Restarting(exited) => Phase::Exited(exited.clone()),
        State::Dead(exited) => Phase::Dead(exited.clone()),
        State::Running(running) | State::Paused(running) => Phase::Exited(Exited {
            how: Exit::Unknown,
            started_at: running.started_at,
            finished_at: running.last_finished_at,
            oom_killed: running.oom_killed,
        }),
    }
}

fn exec_state(recorded: &ExecState, status: &Status, id: Id) -> ExecState {
    let known = status.execs.iter().find(|exec| exec.exec == id.to_string());
    match (known, recorded) {
        (Some(exec), _) => match exec.exited {
            Some((exit, _)) => ExecState::Exited(exit.into()),
            None => ExecState::Running { pid: exec.pid },
        },
        (None, ExecState::Starting | ExecState::Running { .. }) => ExecState::Exited(Exit::Unknown),
        (None, recorded) => recorded.clone(),
    }
}

/// Directories in `dir` that have an id for a name.
fn named_dirs(dir: &Path) -> Vec<(Id, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect()
}
