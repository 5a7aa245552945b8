//! The beginning of a run, at a client's wish or the policy's.

use super::Live;
use super::launch::{Attempt, Launched};
use super::network_facts::network_settings;
use super::supervise::supervise;
use crate::chores::blocking;
use crate::config::CreateRules;
use crate::container::{Body, Container, Phase, volume_records};
use crate::containers::{Signal, Started};
use crate::events::{Action, Death};
use crate::restart_policy::Restarts;
use crate::state::{Exit, Exited, Running};
use crate::undo::Undo;
use crate::{Engine, Error, HostConfig, StartFailure, links, volumes};
use drydock_network::Attachment;
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
        self.run(container, &mut body, None, Some(rules.clone())).await?;
        Ok(Started::Now)
    }

    /// Runs a container again because its policy says so, in the network that it kept. A failure counts as an exit.
    pub(crate) async fn begin_again(&self, container: &Arc<Container>) {
        let Ok(mut body) = container.lock().await else { return };
        if self.is_closing() || body.removing {
            return;
        }
        let Phase::Waiting(_, _, kept) = &mut body.phase else { return };
        let kept = kept.take().map(|kept| *kept);
        body.restarts.count += 1;
        container.publish(&body);
        if let Err(error) = self.run(container, &mut body, kept, None).await {
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
        if !rules.host_config_kept_first {
            rules.check(None, &host_config)?;
        }
        self.fill_log_config(&mut host_config, rules);
        let mut definition = body.definition.clone();
        definition.host_config = Arc::new(host_config);
        definition.remake_volumes = true;
        if rules.host_config_kept_first {
            rules.check_bind_sources(&definition.host_config)?;
        } else {
            // Looked at now: a request that is refused changes nothing.
            let (config, host, before) = (&definition.config, &definition.host_config, definition.volumes.as_deref());
            volumes::Plan::new(self, config, host, before, rules).map_err(Error::Volume)?;
        }
        self.apply_host_config(&mut definition, rules)?;
        for (alias, child) in &definition.links {
            self.0.registry.link(container.id, alias, *child);
        }
        body.definition = definition;
        self.0.store.commit_later(vec![body.definition_record(container.id)?]);
        Ok(())
    }

    /// Begins a run, whatever went before, in a network that was kept or a new one. With `rules` it gets the volumes
    /// that it does not have yet.
    async fn run(
        &self,
        container: &Arc<Container>,
        body: &mut Body,
        kept: Option<Attachment>,
        rules: Option<CreateRules>,
    ) -> Result<(), Error> {
        body.killed = false;
        if let Some(teardown) = body.teardown.take() {
            let _ = teardown.await;
        }
        let clients = std::mem::take(&mut body.early_clients);
        let attempt = Attempt {
            definition: body.definition.clone(),
            files: (*body.files).clone(),
            network: kept,
            new_volumes: Vec::new(),
            volumes: Undo::default(),
        };
        let (attempt, launched) = self.launch(container, attempt, rules, clients).await;
        let Attempt { definition, mut files, new_volumes, volumes, .. } = attempt;
        if definition != body.definition {
            body.definition = definition;
            let mut records = vec![body.definition_record(container.id)?];
            records.extend(volume_records(&new_volumes));
            self.0.store.commit_later(records);
        }
        volumes.keep();
        if launched.as_ref().err().is_none_or(StartFailure::at_execution) {
            files.log = self.log_config(container.id, &body.definition).path;
        }
        body.files = Arc::new(files);
        let launched = match launched {
            Ok(launched) => launched,
            Err(failure) => return Err(self.not_started(container, body, failure)),
        };
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
        let Launched { shim, events, pid, at, network, namespace, dir } = launched;
        let facts =
            Running { pid, started_at: at, last_finished_at: body.phase.facts().finished_at(), oom_killed: false };
        let mut run = 0;
        container.progress.send_modify(|progress| {
            progress.starts += 1;
            run = progress.starts;
        });
        let supervisor = supervise(self, container, run, events);
        let record = network.as_ref().map(Attachment::record);
        body.network = Arc::new(network_settings(record, &body.definition, self.0.network.namespaces()));
        let shim = Arc::new(shim);
        body.phase = Phase::Running(Box::new(Live { facts, shim, network, namespace, dir, supervisor }));
    }

    /// A start that failed is kept with the container, and told.
    fn not_started(&self, container: &Container, body: &mut Body, failure: StartFailure) -> Error {
        let before = body.phase.facts();
        let exited = Exited {
            how: Exit::NotStarted {
                failure: failure.clone(),
                before: before.exited().and_then(|exited| exited.how.clone().before_a_failure()),
            },
            started_at: before.started_at(),
            finished_at: before.finished_at(),
            oom_killed: false,
        };
        body.phase = Phase::Exited(exited);
        body.network = Arc::default();
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
