//! The beginning of a run, at a client's wish or the policy's.

use super::Live;
use super::launch::Launched;
use super::supervise::supervise;
use crate::chores::blocking;
use crate::config::CreateRules;
use crate::container::{Body, Container, Phase, volume_records};
use crate::containers::{Signal, Started};
use crate::events::{Action, Death};
use crate::restart_policy::Restarts;
use crate::snapshot::NetworkSettings;
use crate::state::{Exit, Exited, Running};
use crate::undo::Undo;
use crate::{Engine, Error, HostConfig, StartFailure, links, volumes};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

impl Engine {
    /// Runs a container at a client's wish.
    pub(crate) async fn begin(
        &self,
        container: &Arc<Container>,
        host_config: Option<HostConfig>,
        rules: &CreateRules,
    ) -> Result<Started, Error> {
        let mut body = container.lock().await?;
        if self.is_closing() {
            return Err(Error::ShuttingDown);
        }
        if body.removing {
            return Err(Error::BeingRemoved(container.id));
        }
        match body.phase {
            Phase::Paused(_) => return Err(Error::Paused(container.id)),
            Phase::Running(_) | Phase::Waiting(..) => return Ok(Started::Already),
            Phase::Dead(_) => return Err(Error::BeingRemoved(container.id)),
            Phase::Created | Phase::Exited(_) | Phase::Gone => {}
        }
        if let Some(host_config) = host_config {
            self.replace_host_config(container, &mut body, host_config, rules)?;
        }
        body.stopping = false;
        body.restarts = Restarts::default();
        self.make_volumes(container, &mut body, rules).await?;
        self.run(container, &mut body).await?;
        Ok(Started::Now)
    }

    /// Runs a container again because its policy says so. A failure counts as an exit.
    pub(crate) async fn begin_again(&self, container: &Arc<Container>) {
        let Ok(mut body) = container.lock().await else { return };
        if self.is_closing() || body.removing || !matches!(body.phase, Phase::Waiting(..)) {
            return;
        }
        body.restarts.count += 1;
        container.publish(&body);
        if let Err(error) = self.run(container, &mut body).await {
            tracing::warn!(id = %container.id, %error, "a restart failed");
            if let Phase::Exited(exited) = body.phase.take() {
                self.rest(container, &mut body, exited);
                container.publish(&body);
                self.record_later(container, &body);
            }
        }
    }

    /// The host configuration of a start takes the place of create's, whole.
    fn replace_host_config(
        &self,
        container: &Container,
        body: &mut Body,
        mut host_config: HostConfig,
        rules: &CreateRules,
    ) -> Result<(), Error> {
        rules.check(None, &host_config)?;
        self.fill_log_config(&mut host_config);
        let mut definition = body.definition.clone();
        definition.host_config = Arc::new(host_config);
        self.apply_host_config(&mut definition, rules)?;
        // Looked at now: a start that is refused changes nothing.
        let (config, host, before) = (&definition.config, &definition.host_config, definition.volumes.as_deref());
        volumes::Plan::new(self, config, host, before, rules)?;
        for (alias, child) in &definition.links {
            self.0.registry.link(container.id, alias, *child);
        }
        definition.remake_volumes = true;
        body.definition = definition;
        Ok(())
    }

    /// Volumes that create did not make, or that a new host configuration asks for.
    async fn make_volumes(&self, container: &Container, body: &mut Body, rules: &CreateRules) -> Result<(), Error> {
        if body.definition.volumes.is_some() && !body.definition.remake_volumes {
            return Ok(());
        }
        let (config, host) = (&body.definition.config, &body.definition.host_config);
        let plan = volumes::Plan::new(self, config, host, body.definition.volumes.as_deref(), rules)?;
        let (engine, id, rules) = (self.clone(), container.id, rules.clone());
        let (made, undo) = blocking(move || {
            let mut undo = Undo::default();
            let rootfs = engine.0.images.layers().rootfs(id)?;
            let made = volumes::make(plan, &engine.0.settings.root, &rootfs, &rules, &mut undo)?;
            Ok::<_, Error>((made, undo))
        })
        .await?;
        let (volumes, new) = made;
        body.definition.volumes = Some(Arc::new(volumes));
        body.definition.remake_volumes = false;
        let mut records = vec![body.definition_record(container.id)?];
        records.extend(volume_records(&new));
        self.0.store.commit(records).await?;
        undo.keep();
        container.publish(body);
        Ok(())
    }

    /// Begins a run, whatever went before.
    async fn run(&self, container: &Arc<Container>, body: &mut Body) -> Result<(), Error> {
        body.killed = false;
        if let Some(teardown) = body.teardown.take() {
            let _ = teardown.await;
        }
        let mut definition = body.definition.clone();
        let clients = std::mem::take(&mut body.early_clients);
        let launched = match self.launch(container, &mut definition, clients).await {
            Ok(launched) => launched,
            Err(failure) => return Err(self.not_started(container, body, failure)),
        };
        if definition.config != body.definition.config {
            body.definition = definition;
            self.0.store.commit_later(vec![body.definition_record(container.id)?]);
        }
        self.own(container, body, launched);
        // On disk before the client hears of it: the next daemon takes over what it finds there, and nothing else.
        let recorded = match body.run_record(container.id) {
            Ok(record) => self.0.store.commit(vec![record]).await,
            Err(error) => Err(error),
        };
        container.publish(body);
        self.tell(container, Action::Start);
        if let Err(error) = recorded {
            if let Some(live) = body.phase.live() {
                live.signal(Signal::KILL).await?;
            }
            body.stopping = true;
            return Err(error);
        }
        self.readdress_parents(container);
        Ok(())
    }

    /// The run now holds what was launched.
    fn own(&self, container: &Arc<Container>, body: &mut Body, launched: Launched) {
        let Launched { shim, events, pid, at, network, namespace, files, dir } = launched;
        let facts =
            Running { pid, started_at: at, last_finished_at: body.phase.facts().finished_at(), oom_killed: false };
        let mut run = 0;
        container.progress.send_modify(|progress| {
            progress.starts += 1;
            run = progress.starts;
        });
        let supervisor = supervise(self, container, run, events);
        body.network =
            Arc::new(network_settings(network.as_ref().map(drydock_network::Attachment::record), &body.definition));
        body.files = Arc::new(files);
        let shim = Arc::new(shim);
        body.phase = Phase::Running(Box::new(Live { facts, shim, network, namespace, dir, supervisor }));
    }

    /// A start that failed is kept with the container, and told.
    fn not_started(&self, container: &Container, body: &mut Body, failure: StartFailure) -> Error {
        let before = body.phase.facts();
        let exited = Exited {
            how: Exit::NotStarted(failure.clone()),
            started_at: before.started_at(),
            finished_at: before.finished_at(),
            oom_killed: false,
        };
        body.phase = Phase::Exited(exited);
        container.publish(body);
        self.record_later(container, body);
        if failure.at_execution() {
            self.tell(container, Action::Start);
            self.tell(container, Action::Die(Death::NotExecuted));
        } else {
            self.tell(container, Action::Die(Death::NotPrepared));
        }
        Error::Start(failure)
    }

    /// Containers that link to this one learn its new address.
    fn readdress_parents(&self, container: &Container) {
        if !self.0.registry.has_links() {
            return;
        }
        let view = container.view();
        let address = view.network.ip_address.clone();
        for (parent, alias) in self.0.registry.parents(container.id) {
            let hosts = parent.view().files.hosts.clone();
            let (address, running) = (address.clone(), parent.view().state.running().is_some());
            if !running || hosts.as_os_str().is_empty() || address.is_empty() {
                continue;
            }
            self.0.chores.spawn(blocking(move || {
                // In place: the file is mounted in the parent.
                let written = std::fs::read_to_string(&hosts)
                    .and_then(|text| std::fs::write(&hosts, links::readdress(&text, &[alias], &address)));
                if let Err(error) = written {
                    tracing::warn!(%error, path = %hosts.display(), "a hosts file keeps an old address");
                }
            }));
        }
    }
}

/// What inspect tells of a run's network.
fn network_settings(
    record: Option<&drydock_network::Record>,
    definition: &crate::container::Definition,
) -> NetworkSettings {
    let Some(record) = record else { return NetworkSettings::default() };
    let sandbox_key = match &record.namespace {
        drydock_network::Namespace::Path(path) => path.display().to_string(),
        drydock_network::Namespace::Host => String::new(),
    };
    let Some(endpoint) = &record.endpoint else { return NetworkSettings { sandbox_key, ..NetworkSettings::default() } };
    let mut ports: crate::PortBindings = definition
        .config
        .exposed_ports
        .iter()
        .flatten()
        .map(|port| (if port.contains('/') { port.clone() } else { format!("{port}/tcp") }, None))
        .collect();
    for published in &endpoint.ports {
        let binding =
            crate::PortBinding { host_ip: published.address.to_string(), host_port: published.host_port.to_string() };
        ports.entry(published.port.to_string()).or_default().get_or_insert_default().push(binding);
    }
    NetworkSettings {
        bridge: endpoint.bridge.clone(),
        endpoint_id: made_of(&(&sandbox_key, &endpoint.mac)),
        network_id: made_of(&(&endpoint.bridge, endpoint.gateway)),
        sandbox_key,
        gateway: endpoint.gateway.to_string(),
        ip_address: endpoint.address.to_string(),
        ip_prefix_len: endpoint.prefix_len,
        mac_address: endpoint.mac.clone(),
        link_local_ipv6_address: link_local(&endpoint.mac),
        link_local_ipv6_prefix_len: 64,
        hairpin_mode: endpoint.hairpin,
        ports: Some(ports),
    }
}

/// An id that is the same as long as what it is made of is.
fn made_of(what: &impl Hash) -> String {
    (0..4u8)
        .map(|part| {
            let mut hasher = DefaultHasher::new();
            (part, what).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        })
        .collect()
}

/// The link-local address that follows from a hardware address `02:42:ac:11:00:02`: `fe80::42:acff:fe11:2`.
fn link_local(mac: &str) -> String {
    let bytes: Vec<u16> = mac.split(':').filter_map(|byte| u16::from_str_radix(byte, 16).ok()).collect();
    let [a, b, c, d, e, f] = bytes[..] else { return String::new() };
    let address = std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, (a ^ 2) << 8 | b, c << 8 | 0xff, 0xfe00 | d, e << 8 | f);
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_follows_from_the_hardware_address() {
        assert_eq!(link_local("02:42:ac:11:00:02"), "fe80::42:acff:fe11:2");
        assert_eq!(link_local("nonsense"), "");
    }
}
