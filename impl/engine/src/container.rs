//! A container as the engine holds it: what it is, where it is in its life, and the view that readers see.
//!
//! [`Container::body`] is the one lock of a container. An operation holds it while it changes the container, never
//! while it waits for the container's process: an exit needs it, too. Readers take [`Container::view`] and wait for
//! nobody.

use crate::config::{ContainerConfig, HostConfig, InsideRules};
use crate::containers::EarlyClient;
use crate::restart_policy::{Restarts, RetryCounting};
use crate::run::Live;
use crate::snapshot::{HostFiles, NetworkSettings, Snapshot, Volume};
use crate::state::{Exit, Exited, State};
use crate::store::{Change, Table};
use crate::{Error, StoreError};
use drydock_core::{Id, Name, Timestamp};
use drydock_network::Attachment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, MutexGuard, oneshot, watch};
use tokio::task::JoinHandle;

/// A container.
pub(crate) struct Container {
    pub(crate) id: Id,
    pub(crate) created: Timestamp,
    driver: &'static str,
    view: RwLock<Arc<Snapshot>>,
    body: Mutex<Body>,
    /// Counts what those who wait look at.
    pub(crate) progress: watch::Sender<Progress>,
    /// Held by the one removal; others wait for its outcome.
    pub(crate) removal: Mutex<()>,
}

/// How far a container has come, for those who wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Runs that began.
    pub(crate) starts: u64,
    /// Runs that ended, also by an end of waiting for the next one.
    pub(crate) exits: u64,
    /// How the last of them ended.
    pub(crate) last_exit: Option<Exit>,
    /// It was removed.
    pub(crate) gone: bool,
}

/// What a container is. Its record changes with create, rename, links, and a start with a host configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) name: Name,
    /// The name is not the first.
    #[serde(default)]
    pub(crate) renamed: bool,
    pub(crate) created: Timestamp,
    pub(crate) path: String,
    pub(crate) args: Arc<[String]>,
    pub(crate) config: Arc<ContainerConfig>,
    pub(crate) host_config: Arc<HostConfig>,
    /// `None`: it was made of nothing.
    pub(crate) image: Option<Id>,
    /// `None` until they are made: at create, or for some daemons at the first start.
    pub(crate) volumes: Option<Arc<BTreeMap<String, Volume>>>,
    /// A start brought a host configuration that volumes were not yet made for.
    #[serde(default)]
    pub(crate) remake_volumes: bool,
    /// Children by alias.
    pub(crate) links: BTreeMap<String, Id>,
    pub(crate) retry_counting: RetryCounting,
    pub(crate) inside: InsideRules,
}

/// What became of a container: its record changes with every transition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) state: State,
    pub(crate) restart_count: u64,
    pub(crate) network: Arc<NetworkSettings>,
    pub(crate) files: Arc<HostFiles>,
    /// Its part of the network while it runs, so that the next daemon can take it over.
    pub(crate) attachment: Option<drydock_network::Record>,
    pub(crate) namespace: Option<drydock_network::Namespace>,
}

/// Where a container is in its life, with what it holds there.
pub(crate) enum Phase {
    Created,
    Running(Box<Live>),
    Paused(Box<Live>),
    /// Between two runs, in the network of both.
    Waiting(Exited, #[expect(dead_code, reason = "held, never read")] Alarm, Option<Box<Attachment>>),
    Exited(Exited),
    Dead(Exited),
    /// Removed: nobody finds it any more, those that did before see this.
    Gone,
}

/// The wait for the next run: dropping this ends it.
pub(crate) struct Alarm {
    pub(crate) _owner: oneshot::Sender<()>,
}

/// What the lock of a container guards.
pub(crate) struct Body {
    pub(crate) definition: Definition,
    pub(crate) phase: Phase,
    pub(crate) restarts: Restarts,
    pub(crate) network: Arc<NetworkSettings>,
    pub(crate) files: Arc<HostFiles>,
    /// Execs of this run, oldest first.
    pub(crate) execs: Vec<Id>,
    /// Clients that attached before the start.
    pub(crate) early_clients: Vec<EarlyClient>,
    /// Taking apart what the last run held.
    pub(crate) teardown: Option<JoinHandle<()>>,
    /// A client asked for the end of this run: the restart policy is silent.
    pub(crate) stopping: bool,
    /// KILL was sent to this run: it is as good as over, and must not be frozen before it dies.
    pub(crate) killed: bool,
    /// A removal is on its way: nothing starts any more.
    pub(crate) removing: bool,
}

impl Phase {
    /// The phase as facts; what is gone shows as dead.
    pub(crate) fn facts(&self) -> State {
        match self {
            Self::Created | Self::Gone => State::Created,
            Self::Running(live) => State::Running(live.facts.clone()),
            Self::Paused(live) => State::Paused(live.facts.clone()),
            Self::Waiting(exited, ..) => State::Restarting(exited.clone()),
            Self::Exited(exited) => State::Exited(exited.clone()),
            Self::Dead(exited) => State::Dead(exited.clone()),
        }
    }

    /// What the run that goes on holds.
    pub(crate) fn live(&self) -> Option<&Live> {
        match self {
            Self::Running(live) | Self::Paused(live) => Some(live),
            _ => None,
        }
    }

    /// Takes the phase out, to consume it; what stays behind is overwritten before the lock is let go.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Created)
    }
}

impl Container {
    pub(crate) fn new(id: Id, driver: &'static str, body: Body) -> Self {
        let view = RwLock::new(Arc::new(body.snapshot(id, driver)));
        let (progress, _) = watch::channel(Progress::default());
        let created = body.definition.created;
        Self { id, created, driver, view, body: Mutex::new(body), progress, removal: Mutex::new(()) }
    }

    /// The facts as they were last told.
    pub(crate) fn view(&self) -> Arc<Snapshot> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lock.
    ///
    /// # Errors
    /// `NoSuchContainer` when it was removed meanwhile.
    pub(crate) async fn lock(&self) -> Result<MutexGuard<'_, Body>, Error> {
        let body = self.body.lock().await;
        match body.phase {
            Phase::Gone => Err(Error::NoSuchContainer(self.id.to_string())),
            _ => Ok(body),
        }
    }

    /// Lets readers see `body` as it is now.
    pub(crate) fn publish(&self, body: &Body) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(body.snapshot(self.id, self.driver));
    }

    /// Waits until `reached` says so of the progress. Ends at once when it does already.
    pub(crate) async fn reach(&self, reached: impl FnMut(&Progress) -> bool) {
        // The sender lives as long as `self`: the wait cannot fail.
        let _ = self.progress.subscribe().wait_for(reached).await;
    }
}

impl Body {
    pub(crate) fn new(definition: Definition, phase: Phase) -> Self {
        Self {
            definition,
            phase,
            restarts: Restarts::default(),
            network: Arc::default(),
            files: Arc::default(),
            execs: Vec::new(),
            early_clients: Vec::new(),
            teardown: None,
            stopping: false,
            killed: false,
            removing: false,
        }
    }

    fn snapshot(&self, id: Id, driver: &'static str) -> Snapshot {
        let definition = &self.definition;
        Snapshot {
            id,
            name: definition.name.clone(),
            renamed: definition.renamed,
            created: definition.created,
            path: definition.path.clone(),
            args: Arc::clone(&definition.args),
            config: Arc::clone(&definition.config),
            host_config: Arc::clone(&definition.host_config),
            image: definition.image,
            state: self.phase.facts(),
            restart_count: self.restarts.count,
            network: Arc::clone(&self.network),
            driver,
            exec_driver: "native-0.2",
            volumes: definition.volumes.clone(),
            exec_ids: self.execs.as_slice().into(),
            files: Arc::clone(&self.files),
        }
    }

    /// The record of what the container is.
    pub(crate) fn definition_record(&self, id: Id) -> Result<Change, Error> {
        record(Table::Containers, id, &self.definition)
    }

    /// The record of what became of it.
    pub(crate) fn run_record(&self, id: Id) -> Result<Change, Error> {
        let live = self.phase.live();
        let run = RunRecord {
            state: self.phase.facts(),
            restart_count: self.restarts.count,
            network: Arc::clone(&self.network),
            files: Arc::clone(&self.files),
            attachment: live.and_then(|live| live.network.as_ref()).map(|network| network.record().clone()),
            namespace: live.map(|live| live.namespace.clone()),
        };
        record(Table::Runs, id, &run)
    }
}

/// A record of `id` in `table`.
pub(crate) fn record(table: Table, id: Id, value: &impl Serialize) -> Result<Change, Error> {
    let record = serde_json::to_vec(value).map_err(|source| Error::Store {
        path: id.to_string().into(),
        source: Arc::new(StoreError::Record { id: id.to_string(), source }),
    })?;
    Ok(Change { table, key: *id.as_bytes(), record: Some(record) })
}

/// Both records of `id`, removed.
pub(crate) fn no_records(id: Id) -> Vec<Change> {
    [Table::Containers, Table::Runs].map(|table| Change { table, key: *id.as_bytes(), record: None }).into()
}

/// Records that the volumes `ids` are ours.
pub(crate) fn volume_records(ids: &[Id]) -> impl Iterator<Item = Change> {
    ids.iter().map(|id| Change { table: Table::Volumes, key: *id.as_bytes(), record: Some(Vec::new()) })
}
