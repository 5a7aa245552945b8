//! The engine as a whole: what it holds, what it counts, and its end.

use crate::chores::Chores;
use crate::container::Container;
use crate::events::{Action, Board, Event};
use crate::exec::ExecTable;
use crate::registry::Registry;
use crate::store::Store;
use crate::{Error, HostConfig, Settings, Target};
use drydock_core::{Id, Timestamp};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All containers of a daemon. Cheap to clone; every clone is the same engine.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) images: drydock_images::Images,
    pub(crate) network: drydock_network::Network,
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    pub(crate) execs: ExecTable,
    pub(crate) board: Board,
    pub(crate) chores: Chores,
    pub(crate) closing: AtomicBool,
}

/// What the engine counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Containers in any state.
    pub containers: usize,
    /// Those that run, paused ones too.
    pub running: usize,
    /// Listeners of events.
    pub event_listeners: usize,
}

impl Engine {
    /// What the engine counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let all = self.0.registry.all();
        Counts {
            containers: all.len(),
            running: all.iter().filter(|container| container.view().state.is_up()).count(),
            event_listeners: self.0.board.listeners(),
        }
    }

    /// The daemon's settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn find(&self, target: &Target) -> Result<Arc<Container>, Error> {
        self.0.registry.find(target)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Relaxed)
    }

    /// Tells what happened to a container.
    pub(crate) fn tell(&self, container: &Container, action: Action) {
        let view = container.view();
        self.0.board.tell(Event {
            time: Timestamp::now(),
            action,
            id: container.id.to_string(),
            from: view.config.image.clone(),
            image: view.image,
        });
    }

    /// The storage driver's name.
    pub(crate) fn driver(&self) -> &'static str {
        self.0.images.layers().driver().name()
    }

    /// Where a container's log, hosts file and so on are.
    pub(crate) fn container_dir(&self, id: Id) -> PathBuf {
        self.0.settings.root.join("containers").join(id.to_string())
    }

    /// The cgroup above a container's.
    pub(crate) fn cgroup_parent(&self, host_config: &HostConfig) -> String {
        match host_config.cgroup_parent.as_str() {
            "" => self.0.settings.cgroup_parent.clone(),
            parent => parent.to_owned(),
        }
    }

    /// Does `work` to its end, also when the client that waits for it leaves: half a start is nothing to leave behind.
    pub(crate) async fn to_the_end<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        match self.0.chores.spawn(work).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
