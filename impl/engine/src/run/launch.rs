//! Putting everything in place for a run, and starting its shim.
//!
//! Blocking parts run together on one thread; whatever they make is in [`Undo`] or in a guard until the shim answered.

use super::shim::{Shim, ShimError, ShimEvents};
use super::spec::{Prepared, environment};
use crate::chores::blocking;
use crate::config::HostConfig;
use crate::container::{Container, Definition};
use crate::containers::EarlyClient;
use crate::links::Link;
use crate::snapshot::HostFiles;
use crate::undo::Undo;
use crate::{Engine, Error, Lookup, StartFailure, Target};
use drydock_core::{Id, Timestamp, fault};
use drydock_network::{Attachment, Bridged, HostPort, Hosts, Mode, Port, PortRange, Protocol, Publish, ResolvConf};
use drydock_shim_protocol::{Answer, ContainerSpec, Failure, Log, Namespace, Namespaces, Refusal, Request};
use std::fs;
use std::io;
use std::net::IpAddr;
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
    pub(super) files: HostFiles,
    pub(super) dir: PathBuf,
}

/// What a run takes over from other containers, found before anything is made.
pub(super) struct Shared {
    network: Option<SharedNetwork>,
    ipc: Namespace,
    links: Vec<Link>,
}

struct SharedNetwork {
    namespace: drydock_network::Namespace,
    files: HostFiles,
    hostname: String,
    domainname: String,
}

/// Everything in place, and a shim that waits for its container.
struct Ready {
    socket: UnixStream,
    child: Child,
    spec: Box<ContainerSpec>,
    mount: drydock_layers::Mount,
    network: Option<Attachment>,
    namespace: drydock_network::Namespace,
    files: HostFiles,
    dir: PathBuf,
    undo: Undo,
}

impl Engine {
    /// Begins a run. `definition` may be changed where the run's network decides (host name).
    /// `clients` are attached before the first byte of output.
    pub(super) async fn launch(
        &self,
        container: &Container,
        definition: &mut Definition,
        clients: Vec<EarlyClient>,
    ) -> Result<Launched, StartFailure> {
        let id = container.id;
        let shared = self.shared(container, definition).await?;
        if let Some(network) = &shared.network {
            let config = std::sync::Arc::make_mut(&mut definition.config);
            config.hostname.clone_from(&network.hostname);
            config.domainname.clone_from(&network.domainname);
        } else if definition.host_config.network_mode == "host" {
            take_hosts_name(definition);
        }
        let (engine, copy) = (self.clone(), definition.clone());
        let Ready { socket, child, spec, mount, network, namespace, files, dir, undo } =
            blocking(move || engine.prepare(id, &copy, shared)).await?;
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
                Ok(Launched { shim, events, pid, at, network, namespace, files, dir })
            }
            Err(failure) => {
                if shim.done(Request::Shutdown).await.is_err() {
                    let parent = self.cgroup_parent(&definition.host_config);
                    self.clean_up_after_shim(id, dir, parent).await;
                }
                drop(shim);
                blocking(move || drop((network, undo))).await;
                Err(failure)
            }
        }
    }

    /// What other containers give: their namespaces and addresses. They must run.
    async fn shared(&self, container: &Container, definition: &Definition) -> Result<Shared, StartFailure> {
        let host = &definition.host_config;
        let links = self.links(container, &definition.name)?;
        let network = match host.network_mode.strip_prefix("container:") {
            None => None,
            Some(name) => {
                let other = self.sharing(name)?;
                let view = other.view();
                let not_running = || StartFailure::NetworkTargetNotRunning(name.to_owned());
                let body = other.lock().await.map_err(|_| not_running())?;
                let live = body.phase.live().ok_or_else(not_running)?;
                Some(SharedNetwork {
                    namespace: live.namespace.clone(),
                    files: (*body.files).clone(),
                    hostname: view.config.hostname.clone(),
                    domainname: view.config.domainname.clone(),
                })
            }
        };
        let ipc = match host.ipc_mode.as_str() {
            "host" => Namespace::Host,
            mode => match mode.strip_prefix("container:") {
                None => Namespace::New,
                Some(name) => {
                    let view = self.sharing(name)?.view();
                    let not_running = || StartFailure::IpcTargetNotRunning(name.to_owned());
                    let pid = view.state.running().ok_or_else(not_running)?.pid;
                    Namespace::Path(format!("/proc/{pid}/ns/ipc").into())
                }
            },
        };
        Ok(Shared { network, ipc, links })
    }

    fn sharing(&self, name: &str) -> Result<std::sync::Arc<Container>, StartFailure> {
        if name.is_empty() {
            return Err(StartFailure::SharedEmpty);
        }
        let target = Target::new(name, Lookup::NameFirst);
        self.find(&target).map_err(|_| StartFailure::SharedMissing(name.to_owned()))
    }

    /// Makes all that the shim needs, and the shim.
    fn prepare(&self, id: Id, definition: &Definition, shared: Shared) -> Result<Ready, StartFailure> {
        let mut undo = Undo::default();
        let host = &definition.host_config;
        let dir = self.0.settings.runtime_dir.join(id.to_string());
        make_dir(&dir).map_err(|error| step("runtime directory", &error))?;
        let remove = dir.clone();
        undo.push(move || drop(fs::remove_dir_all(remove)));
        let log = self.log(id, definition)?;
        let network = match &shared.network {
            Some(_) => None,
            None => Some(self.0.network.attach(&id, &network_mode(definition)?).map_err(network_failure)?),
        };
        fault::point("engine.start.network").map_err(|error| step("network", &error))?;
        let namespace = match (&shared.network, &network) {
            (Some(shared), _) => shared.namespace.clone(),
            (None, Some(own)) => own.namespace().clone(),
            (None, None) => drydock_network::Namespace::Host,
        };
        let files = match &shared.network {
            Some(shared) => HostFiles { log: log.path.clone(), ..shared.files.clone() },
            None => self.host_files(id, definition, network.as_ref(), &shared.links, &log)?,
        };
        let mount = self.mount_rootfs(id, &mut undo)?;
        fault::point("engine.start.rootfs").map_err(|error| step("rootfs", &error))?;
        let own_namespace = |mode: &str| if mode == "host" { Namespace::Host } else { Namespace::New };
        let namespaces = Namespaces {
            pid: own_namespace(&host.pid_mode),
            ipc: shared.ipc,
            uts: own_namespace(&host.uts_mode),
            network: match &namespace {
                drydock_network::Namespace::Host => Namespace::Host,
                drydock_network::Namespace::Path(path) => Namespace::Path(path.clone()),
            },
        };
        let links: Vec<String> = shared.links.iter().flat_map(|link| link.env(&definition.name)).collect();
        let prepared = Prepared {
            rootfs: mount.path().to_owned(),
            files: files.clone(),
            hostname: if namespaces.uts == Namespace::Host { String::new() } else { definition.full_hostname() },
            namespaces,
            log,
            env: environment(definition, &links),
        };
        let spec = Box::new(self.container_spec(id, definition, prepared)?);
        let spawned = drydock_shim_protocol::spawn(&self.0.settings.shim, &dir);
        let (child, socket) = spawned.map_err(|error| step("shim", &error))?;
        fault::point("engine.start.shim").map_err(|error| step("shim", &error))?;
        Ok(Ready { socket, child, spec, mount, network, namespace, files, dir, undo })
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

    /// Writes the files that tell the container of its network.
    fn host_files(
        &self,
        id: Id,
        definition: &Definition,
        network: Option<&Attachment>,
        links: &[Link],
        log: &Log,
    ) -> Result<HostFiles, StartFailure> {
        let (host, config, dir) = (&definition.host_config, &definition.config, self.container_dir(id));
        let or = |own: &Option<Vec<String>>, default: &Vec<String>| match own {
            Some(own) if !own.is_empty() => own.clone(),
            _ => default.clone(),
        };
        let on_host = host.network_mode == "host";
        let read = |path: &str| fs::read(path).unwrap_or_default();
        let settings = &self.0.settings;
        let resolv = ResolvConf {
            dns: if on_host { Vec::new() } else { or(&host.dns, &settings.dns) },
            search: if on_host { Vec::new() } else { or(&host.dns_search, &settings.dns_search) },
            keep_unreachable: on_host || definition.inside.loopback_nameservers,
        };
        let endpoint = network.and_then(|network| network.record().endpoint.as_ref());
        let hosts = Hosts {
            address: endpoint.map(|endpoint| IpAddr::V4(endpoint.address)),
            hostname: config.hostname.clone(),
            domainname: config.domainname.clone(),
            extra: host.extra_hosts.clone().unwrap_or_default(),
            links: links.iter().map(|link| link.host(definition.inside.linked_by_all_names)).collect(),
        };
        let hosts = if on_host { read("/etc/hosts") } else { hosts.render().into_bytes() };
        let hostname = match config.domainname.as_str() {
            "" => config.hostname.clone(),
            domain => format!("{}.{domain}", config.hostname),
        };
        let files = HostFiles {
            resolv_conf: dir.join("resolv.conf"),
            hostname: dir.join("hostname"),
            hosts: dir.join("hosts"),
            log: log.path.clone(),
        };
        let write = |path: &Path, text: &[u8]| fs::write(path, text).map_err(|error| step("host files", &error));
        write(&files.resolv_conf, &resolv.render(&read("/etc/resolv.conf")))?;
        write(&files.hostname, drydock_network::hostname(&hostname).as_bytes())?;
        write(&files.hosts, &hosts)?;
        Ok(files)
    }
}

/// In the host's network a container has the host's name.
fn take_hosts_name(definition: &mut Definition) {
    let Ok(name) = nix::unistd::gethostname() else { return };
    let name = name.to_string_lossy();
    let (hostname, domainname) = name.split_once('.').unwrap_or((&name, ""));
    let config = std::sync::Arc::make_mut(&mut definition.config);
    config.hostname = hostname.to_owned();
    config.domainname = domainname.to_owned();
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

fn network_mode(definition: &Definition) -> Result<Mode, StartFailure> {
    let (config, host, inside) = (&definition.config, &definition.host_config, definition.inside);
    if config.network_disabled {
        return Ok(Mode::None);
    }
    match host.network_mode.as_str() {
        "host" => Ok(Mode::Host),
        "none" => Ok(Mode::None),
        "" | "default" | "bridge" => Ok(Mode::Bridge(Bridged {
            mac: parse_mac(&config.mac_address),
            publish: publish(config, host)?,
            ephemeral: if inside.high_ephemeral_ports { PortRange::OLD_EPHEMERAL } else { PortRange::EPHEMERAL },
            first_address: inside.first_address,
            ..Bridged::default()
        })),
        other => Err(StartFailure::NetworkMissing(other.to_owned())),
    }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text.split([':', '-']).map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// What is to be published: the bindings, and with `PublishAllPorts` each exposed port that has none.
fn publish(config: &crate::ContainerConfig, host: &HostConfig) -> Result<Vec<Publish>, StartFailure> {
    let malformed = |text: &str| StartFailure::Step { step: "ports".into(), errno: 0, detail: text.to_owned() };
    let port = |text: &str| parse_port(text).ok_or_else(|| malformed(text));
    let any = |port| Publish { port, address: None, host_port: HostPort::Any };
    let mut wishes = Vec::new();
    for (text, bindings) in host.port_bindings.iter().flatten() {
        let port = port(text)?;
        for binding in bindings.iter().flatten() {
            let address = match binding.host_ip.as_str() {
                "" => None,
                text => Some(text.parse().map_err(|_| malformed(text))?),
            };
            let host_port = parse_host_port(&binding.host_port).ok_or_else(|| malformed(&binding.host_port))?;
            wishes.push(Publish { port, address, host_port });
        }
    }
    if host.publish_all_ports {
        for text in config.exposed_ports.iter().flatten() {
            let port = port(text)?;
            if wishes.iter().all(|wish| wish.port != port) {
                wishes.push(any(port));
            }
        }
    }
    Ok(wishes)
}

fn parse_port(text: &str) -> Option<Port> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some(Port { number: number.parse().ok()?, protocol })
}

fn parse_host_port(text: &str) -> Option<HostPort> {
    Some(match text.split_once('-') {
        None if text.is_empty() => HostPort::Any,
        None => match text.parse().ok()? {
            0 => HostPort::Any,
            port => HostPort::Exactly(port),
        },
        Some((first, last)) => HostPort::Range(PortRange { first: first.parse().ok()?, last: last.parse().ok()? }),
    })
}

fn network_failure(error: drydock_network::Error) -> StartFailure {
    use drydock_network::Error as E;
    match error {
        E::AddressesUsedUp(_) => StartFailure::AddressesUsedUp,
        E::PortTaken { address, port } => StartFailure::PortTaken { address: address.to_string(), port },
        E::PortListen { protocol, address, port, source } => StartFailure::PortListen {
            protocol: protocol.name().to_owned(),
            address: address.to_string(),
            port,
            errno: source.raw_os_error().unwrap_or_default(),
        },
        error => StartFailure::Step { step: "network".into(), errno: 0, detail: chain(&error) },
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

pub(crate) fn step(step: &str, error: &io::Error) -> StartFailure {
    let errno = error.raw_os_error().unwrap_or_default();
    StartFailure::Step { step: step.to_owned(), errno, detail: error.to_string() }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
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
