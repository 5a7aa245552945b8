//! Putting everything in place for a run, and starting its shim.
//!
//! Blocking parts run together on one thread; whatever they make is in [`Undo`] or in a guard until the shim answered.
//! What a start leaves in the container even if it fails is in its [`Attempt`]: clients see how far it came.

use super::place::Placed;
use super::shim::{Shim, ShimError, ShimEvents};
use super::spec::{Prepared, environment};
use crate::chores::blocking;
use crate::config::CreateRules;
use crate::container::{Container, Definition};
use crate::containers::EarlyClient;
use crate::links::Link;
use crate::snapshot::HostFiles;
use crate::undo::Undo;
use crate::{Engine, Error, Lookup, StartFailure, Target, volumes};
use drydock_core::{Id, Timestamp, fault};
use drydock_network::Attachment;
use drydock_shim_protocol::{Answer, ContainerSpec, Failure, Log, Namespace, Namespaces, Refusal, Request};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;

/// A run that has begun.
pub(super) struct Launched {
    pub(super) shim: Shim,
    pub(super) events: ShimEvents,
    pub(super) pid: u32,
    pub(super) at: Timestamp,
    pub(super) network: Option<Attachment>,
    pub(super) namespace: drydock_network::Namespace,
    pub(super) dir: PathBuf,
}

/// What a start makes of its container, whether it goes well or not.
pub(super) struct Attempt {
    /// As the container was, with what was found out: its host name, its network, its volumes.
    pub(super) definition: Definition,
    /// The files that are there so far.
    pub(super) files: HostFiles,
    /// A place in the network that it has already.
    pub(super) network: Option<Attachment>,
    /// Volumes that were made.
    pub(super) new_volumes: Vec<Id>,
    /// Removes them.
    pub(super) volumes: Undo,
}

/// What a run takes over from other containers. What is wrong with it is told when its turn has come.
pub(super) struct Shared {
    pub(super) network: Result<Option<SharedNetwork>, StartFailure>,
    ipc: Result<Namespace, StartFailure>,
    pub(super) links: Result<Vec<Link>, StartFailure>,
}

/// The network of another container.
pub(super) struct SharedNetwork {
    pub(super) namespace: drydock_network::Namespace,
    pub(super) files: HostFiles,
    pub(super) hostname: String,
    pub(super) domainname: String,
}

/// Everything in place, and a shim that waits for its container.
struct Ready {
    socket: UnixStream,
    child: Child,
    spec: Box<ContainerSpec>,
    mount: drydock_layers::Mount,
    network: Option<Attachment>,
    namespace: drydock_network::Namespace,
    dir: PathBuf,
    undo: Undo,
}

impl Engine {
    /// Begins a run. `rules` say how volumes are made that the container does not have yet; `clients` are attached
    /// before the first byte of output.
    pub(super) async fn launch(
        &self,
        container: &Container,
        mut attempt: Attempt,
        rules: Option<CreateRules>,
        clients: Vec<EarlyClient>,
    ) -> (Attempt, Result<Launched, StartFailure>) {
        let id = container.id;
        let shared = self.shared(container, &attempt.definition).await;
        let engine = self.clone();
        let (attempt, ready) = blocking(move || {
            let ready = engine.prepare(id, &mut attempt, shared, rules.as_ref());
            (attempt, ready)
        })
        .await;
        let launched = match ready {
            Ok(ready) => self.set_off(id, &attempt.definition, ready, clients).await,
            Err(failure) => Err(failure),
        };
        (attempt, launched)
    }

    /// Starts what is ready.
    async fn set_off(
        &self,
        id: Id,
        definition: &Definition,
        ready: Ready,
        clients: Vec<EarlyClient>,
    ) -> Result<Launched, StartFailure> {
        let Ready { socket, child, spec, mount, network, namespace, dir, undo } = ready;
        // The child is a zombie until its connection ends; then it is reaped.
        let (shim, events) = Shim::new(socket).map_err(|error| step("shim", &error))?;
        reap(child, shim.over());
        for client in clients {
            client.hand_to(&shim).await;
        }
        let started = start(&shim, spec).await;
        // The container has a copy of the mount in a namespace of its own: the host needs none any more.
        self.0.chores.spawn(blocking(move || drop(mount)));
        match started {
            Ok((pid, at)) => {
                undo.keep();
                Ok(Launched { shim, events, pid, at, network, namespace, dir })
            }
            Err(failure) => {
                if shim.done(Request::Shutdown).await.is_err() {
                    let parent = self.cgroup_parent(&definition.host_config);
                    self.clean_up_after_shim(id, dir, parent).await;
                }
                drop(shim);
                blocking(move || drop((network, undo))).await;
                Err(match failure {
                    StartFailure::Run(Failure::Hostname(_)) => StartFailure::Hostname(definition.full_hostname()),
                    failure => failure,
                })
            }
        }
    }

    /// What other containers give: their namespaces and addresses. They must run.
    async fn shared(&self, container: &Container, definition: &Definition) -> Shared {
        Shared {
            network: self.shared_network(container, definition).await,
            ipc: self.shared_ipc(definition),
            links: self.links(container, &definition.name),
        }
    }

    async fn shared_network(
        &self,
        container: &Container,
        definition: &Definition,
    ) -> Result<Option<SharedNetwork>, StartFailure> {
        let Some(name) = definition.host_config.network_mode.strip_prefix("container:") else { return Ok(None) };
        let other = self.sharing(name, StartFailure::SharedMissing)?;
        if other.id == container.id {
            return Err(StartFailure::NetworkOfItsOwn(name.to_owned()));
        }
        let view = other.view();
        let not_running = || StartFailure::NetworkTargetNotRunning(name.to_owned());
        // Asked before its lock: two that share with each other would wait for one another for ever.
        view.state.running().ok_or_else(not_running)?;
        let body = other.lock().await.map_err(|_| not_running())?;
        let live = body.phase.live().ok_or_else(not_running)?;
        Ok(Some(SharedNetwork {
            namespace: live.namespace.clone(),
            files: (*body.files).clone(),
            hostname: view.config.hostname.clone(),
            domainname: view.config.domainname.clone(),
        }))
    }

    fn shared_ipc(&self, definition: &Definition) -> Result<Namespace, StartFailure> {
        let mode = definition.host_config.ipc_mode.as_str();
        let Some(name) = mode.strip_prefix("container:") else {
            return Ok(if mode == "host" { Namespace::Host } else { Namespace::New });
        };
        let view = self.sharing(name, StartFailure::IpcTargetMissing)?.view();
        let not_running = || StartFailure::IpcTargetNotRunning(name.to_owned());
        let pid = view.state.running().ok_or_else(not_running)?.pid;
        Ok(Namespace::Path(format!("/proc/{pid}/ns/ipc").into()))
    }

    fn sharing(
        &self,
        name: &str,
        missing: fn(String) -> StartFailure,
    ) -> Result<std::sync::Arc<Container>, StartFailure> {
        if name.is_empty() {
            return Err(StartFailure::SharedEmpty);
        }
        self.find(&Target::new(name, Lookup::NameFirst)).map_err(|_| missing(name.to_owned()))
    }

    /// Makes all that the shim needs, and the shim. The order is the daemons': the first thing that is wrong is what a
    /// client hears of.
    fn prepare(
        &self,
        id: Id,
        attempt: &mut Attempt,
        shared: Shared,
        rules: Option<&CreateRules>,
    ) -> Result<Ready, StartFailure> {
        let mut undo = Undo::default();
        let dir = self.0.settings.runtime_dir.join(id.to_string());
        make_dir(&dir).map_err(|error| step("runtime directory", &error))?;
        let remove = dir.clone();
        undo.push(move || drop(fs::remove_dir_all(remove)));
        let Shared { network, ipc: shared_ipc, links } = shared;
        let known_links = links.as_deref().unwrap_or_default();
        let Placed { network, namespace } = self.place(id, attempt, network, known_links)?;
        fault::point("engine.start.network").map_err(|error| step("network", &error))?;
        let mount = self.mount_rootfs(id, &mut undo)?;
        fault::point("engine.start.rootfs").map_err(|error| step("rootfs", &error))?;
        if let Some(rules) = rules {
            self.volumes_of_start(id, attempt, rules)?;
        }
        let links = links?;
        let has_address = network.as_ref().is_some_and(|network| network.record().endpoint.is_some());
        if let (Some(link), false, true) = (links.first(), has_address, attempt.definition.inside.links_need_address) {
            return Err(StartFailure::LinkWithoutAddress(link.alias().to_owned()));
        }
        super::place::check_mode(&attempt.definition)?;
        let ipc = shared_ipc?;
        let definition = &attempt.definition;
        let host = &definition.host_config;
        let own_namespace = |mode: &str| if mode == "host" { Namespace::Host } else { Namespace::New };
        let namespaces = Namespaces {
            pid: own_namespace(&host.pid_mode),
            ipc,
            uts: own_namespace(&host.uts_mode),
            network: match &namespace {
                drydock_network::Namespace::Host => Namespace::Host,
                drydock_network::Namespace::Path(path) => Namespace::Path(path.clone()),
            },
        };
        let links: Vec<String> = links.iter().flat_map(|link| link.env(&definition.name)).collect();
        let prepared = Prepared {
            rootfs: mount.path().to_owned(),
            files: attempt.files.clone(),
            hostname: if namespaces.uts == Namespace::Host { String::new() } else { definition.full_hostname() },
            namespaces,
            log: self.log(id, definition)?,
            env: environment(definition, &links),
        };
        let spec = Box::new(self.container_spec(id, definition, prepared)?);
        let spawned = drydock_shim_protocol::spawn(&self.0.settings.shim, &dir);
        let (child, socket) = spawned.map_err(|error| step("shim", &error))?;
        fault::point("engine.start.shim").map_err(|error| step("shim", &error))?;
        Ok(Ready { socket, child, spec, mount, network, namespace, dir, undo })
    }

    /// Volumes that create did not make, or that a new host configuration asks for.
    fn volumes_of_start(&self, id: Id, attempt: &mut Attempt, rules: &CreateRules) -> Result<(), StartFailure> {
        let definition = &mut attempt.definition;
        if definition.volumes.is_some() && !definition.remake_volumes {
            return Ok(());
        }
        let before = definition.volumes.get_or_insert_default();
        let (config, host) = (&definition.config, &definition.host_config);
        let failed = |error: Error| match error {
            Error::Volume(error) => StartFailure::Volume(error),
            error => StartFailure::Step { step: "volumes".into(), errno: 0, detail: chain(&error) },
        };
        let plan = volumes::Plan::new(self, config, host, Some(before), rules).map_err(StartFailure::Volume)?;
        let rootfs = self.0.images.layers().rootfs(id).map_err(|error| failed(error.into()))?;
        let root = &self.0.settings.root;
        let (made, new) = volumes::make(plan, root, &rootfs, rules, &mut attempt.volumes).map_err(failed)?;
        definition.volumes = Some(made.into());
        definition.remake_volumes = false;
        attempt.new_volumes = new;
        Ok(())
    }

    fn mount_rootfs(&self, id: Id, undo: &mut Undo) -> Result<drydock_layers::Mount, StartFailure> {
        let failed = |error: drydock_layers::Error| StartFailure::Step {
            step: "rootfs".into(),
            errno: 0,
            detail: chain(&error),
        };
        let at = self.container_dir(id).join("rootfs");
        make_dir(&at).map_err(|error| step("rootfs", &error))?;
        let remove = at.clone();
        undo.push(move || drop(fs::remove_dir(remove)));
        let rootfs = self.0.images.layers().rootfs(id).map_err(failed)?;
        rootfs.mount(&at).map_err(failed)
    }

    /// The log's driver and file, as the daemon and the client want it.
    fn log(&self, id: Id, definition: &Definition) -> Result<Log, StartFailure> {
        let config = self.log_config(id, definition);
        let driver = config.driver.clone();
        if driver == "journald" && !definition.inside.journald && self.0.settings.log_config.driver != driver {
            return Err(StartFailure::LogDriverUnknown(driver));
        }
        let prepared = drydock_logs::prepare(config).map_err(|error| match error {
            drydock_logs::Error::UnknownDriver(driver) => StartFailure::LogDriverUnknown(driver),
            error => StartFailure::LogDriver { driver, reason: error.to_string() },
        })?;
        let drydock_logs::LogConfig { driver, options, path, container_id, container_name } = prepared;
        Ok(Log { driver, options, path, container_id, container_name })
    }

    /// The log's configuration, for writing and for reading back.
    pub(crate) fn log_config(&self, id: Id, definition: &Definition) -> drydock_logs::LogConfig {
        let asked = &definition.host_config.log_config;
        let config = if asked.driver.is_empty() { &self.0.settings.log_config } else { asked };
        let driver = if config.driver.is_empty() { "json-file" } else { &config.driver };
        let path = match driver {
            "json-file" => self.container_dir(id).join(format!("{id}-json.log")),
            _ => PathBuf::new(),
        };
        drydock_logs::LogConfig {
            driver: driver.to_owned(),
            options: config.config.clone().unwrap_or_default(),
            path,
            container_id: id.to_string(),
            container_name: definition.name.to_string(),
        }
    }
}

/// Subscribes and starts, in one go.
async fn start(shim: &Shim, spec: Box<ContainerSpec>) -> Result<(u32, Timestamp), StartFailure> {
    let (subscribed, started) = tokio::join!(shim.ask(Request::Subscribe), shim.ask(Request::Start(spec)));
    match (subscribed, started) {
        (_, Err(error)) | (Err(error), _) => Err(refusal(error)),
        (Ok(_), Ok(Answer::Started { pid, at, notes })) => {
            for note in notes {
                tracing::warn!(?note, "a container is not quite what was asked for");
            }
            Ok((pid, at))
        }
        (Ok(_), Ok(_)) => Err(refusal(ShimError::Unexpected)),
    }
}

/// Why a shim did not start something.
pub(crate) fn refusal(error: ShimError) -> StartFailure {
    match error {
        ShimError::Refused(Refusal::Failed(Failure::Log { driver, reason })) => {
            StartFailure::LogDriver { driver, reason }
        }
        ShimError::Refused(Refusal::Failed(failure)) => StartFailure::Run(failure),
        error => StartFailure::Step { step: "shim".into(), errno: 0, detail: chain(&error) },
    }
}

/// Reaps a shim when its connection is over.
fn reap(mut child: Child, over: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(async move {
        over.await;
        blocking(move || drop(child.wait())).await;
    });
}

pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

pub(crate) fn step(step: &str, error: &io::Error) -> StartFailure {
    let errno = error.raw_os_error().unwrap_or_default();
    StartFailure::Step { step: step.to_owned(), errno, detail: error.to_string() }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl From<StartFailure> for Error {
    fn from(failure: StartFailure) -> Self {
        Self::Start(failure)
    }
}
