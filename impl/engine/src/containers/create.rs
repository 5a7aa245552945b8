//! `create`: a container from an image and a configuration.

use crate::chores::blocking;
use crate::config::{ContainerConfig, CreateRules, HostConfig, InsideRules, IpcTarget, check_security_options, merge};
use crate::container::{Body, Container, Definition, Phase, volume_records};
use crate::events::Action;
use crate::restart_policy::RetryCounting;
use crate::snapshot::Volume;
use crate::undo::Undo;
use crate::{Engine, Error, Lookup, StartFailure, Target, names, volumes};
use drydock_core::{Id, Name, NameGrammar, Timestamp, fault};
use drydock_images::Image;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Make a container.
#[derive(Clone, Debug)]
pub struct Create {
    /// Asked-for name; `None`: one is made up.
    pub name: Option<String>,
    /// Which names are allowed.
    pub name_grammar: NameGrammar,
    /// Its configuration, before the image's is merged in.
    pub config: ContainerConfig,
    /// What it wants of the host.
    pub host_config: HostConfig,
    /// Which checks are made, in the engine's order.
    pub rules: CreateRules,
    /// What it finds inside.
    pub inside: InsideRules,
    /// What the restart policy `on-failure:N` counts.
    pub retry_counting: RetryCounting,
}

/// What came of [`Create`].
#[derive(Clone, Debug)]
pub struct Created {
    /// The new container.
    pub id: Id,
    /// What was done otherwise than asked; none where `[]` or `null` is to be shown.
    pub warnings: Vec<Warning>,
}

/// What create did otherwise than asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// A port specification asks for a host port, which is out of use.
    HostPortInPortSpec,
}

impl Engine {
    /// Makes a container. It is durable when this returns; nothing is left of one that fails.
    ///
    /// # Errors
    /// In this order: those of the rules that need no look at anything else; `Images`; `NoCommand`; `NameMalformed`;
    /// `NameTaken`; those of volumes, links and security options.
    pub async fn create(&self, command: Create) -> Result<Created, Error> {
        let engine = self.clone();
        self.to_the_end(async move { engine.make(command).await }).await
    }

    async fn make(&self, mut command: Create) -> Result<Created, Error> {
        if self.is_closing() {
            return Err(Error::ShuttingDown);
        }
        command.rules.check(Some(&command.config), &command.host_config)?;
        self.fill_log_config(&mut command.host_config, &command.rules);
        // Without an image a container is made of nothing.
        let image = match command.config.image.as_str() {
            "" if command.rules.image_may_be_empty => None,
            reference => Some(self.0.images.find(reference)?),
        };
        let warnings = image.as_ref().map_or_else(Vec::new, |image| merge_image(&mut command, image));
        let image = image.map(|image| image.id);
        let (path, args) = program(&command.config)?;
        let id = Id::random();
        self.check_ipc_target(&command)?;
        let claim = self.claim_name(command.name.as_deref(), command.name_grammar, id)?;
        if command.config.hostname.is_empty() {
            command.config.hostname = id.short();
        }
        let mut definition = Definition {
            name: claim.name().clone(),
            renamed: false,
            created: Timestamp::now(),
            path,
            args: args.into(),
            config: Arc::new(command.config),
            host_config: Arc::new(command.host_config),
            image,
            volumes: None,
            remake_volumes: false,
            links: BTreeMap::new(),
            retry_counting: command.retry_counting,
            inside: command.inside,
        };
        if command.rules.host_config && command.rules.host_config_kept_first {
            command.rules.check_bind_sources(&definition.host_config)?;
            self.apply_host_config(&mut definition, &command.rules)?;
        }
        let plan = if command.rules.volumes_at_start {
            None
        } else {
            let (config, host) = (&definition.config, &definition.host_config);
            Some(volumes::Plan::new(self, config, host, None, &command.rules).map_err(Error::Volume)?)
        };
        if command.rules.host_config && !command.rules.host_config_kept_first {
            self.apply_host_config(&mut definition, &command.rules)?;
        }
        let engine = self.clone();
        let rules = command.rules;
        let (volumes, undo) = blocking(move || engine.make_files(id, image, plan, &rules)).await?;
        let new_volumes = match volumes {
            None => Vec::new(),
            Some((volumes, new)) => {
                definition.volumes = Some(Arc::new(volumes));
                new
            }
        };
        let body = Body::new(definition, Phase::Created);
        let mut records = vec![body.definition_record(id)?, body.run_record(id)?];
        records.extend(volume_records(&new_volumes));
        self.0.store.commit(records).await?;
        undo.keep();
        let links = body.definition.links.clone();
        let container = Arc::new(Container::new(id, self.driver(), body));
        self.0.registry.add(Arc::clone(&container), claim);
        for (alias, child) in links {
            self.0.registry.link(id, &alias, child);
        }
        self.tell(&container, Action::Create);
        Ok(Created { id, warnings })
    }

    /// A container whose IPC namespace is to be shared is looked for where the daemons did, to inherit its labels.
    fn check_ipc_target(&self, command: &Create) -> Result<(), Error> {
        let host = &command.host_config;
        let Some(name) = host.ipc_mode.strip_prefix("container:").filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        if host.security_opt.is_some() || command.rules.ipc_target == IpcTarget::Anything {
            return Ok(());
        }
        let target = self.find(&Target::new(name, Lookup::NameFirst));
        let target = target.map_err(|_| StartFailure::IpcTargetMissing(name.to_owned()))?;
        if command.rules.ipc_target == IpcTarget::Running && target.view().state.running().is_none() {
            return Err(StartFailure::IpcTargetNotRunning(name.to_owned()).into());
        }
        Ok(())
    }

    /// The asked-for name, or one that is free.
    fn claim_name(
        &self,
        asked: Option<&str>,
        grammar: NameGrammar,
        id: Id,
    ) -> Result<crate::registry::NameClaim<'_>, Error> {
        if let Some(asked) = asked {
            let name = Name::parse(asked, grammar).map_err(|error| Error::NameMalformed(error.0))?;
            return self.0.registry.claim(name, id);
        }
        for attempt in 0.. {
            match self.0.registry.claim(names::made_up(attempt), id) {
                Err(Error::NameTaken { .. }) => {}
                claimed => return claimed,
            }
        }
        unreachable!("the range has no end")
    }

    /// The daemon's log driver for who asks for none.
    pub(crate) fn fill_log_config(&self, host_config: &mut HostConfig, rules: &CreateRules) {
        if host_config.log_config.driver.is_empty() {
            host_config.log_config = self.0.settings.log_config.clone();
            if rules.default_log_options_empty {
                host_config.log_config.config.get_or_insert_default();
            }
        }
    }

    /// Takes links and security options of a host configuration over. Links become the container's own, and are shown
    /// by what they link; the configuration forgets them.
    pub(crate) fn apply_host_config(&self, definition: &mut Definition, rules: &CreateRules) -> Result<(), Error> {
        let host = &definition.host_config;
        check_security_options(host.security_opt.as_deref().unwrap_or_default())?;
        let Some(links) = host.links.clone() else { return Ok(()) };
        for link in &links {
            let (child, alias) = parse_link(link, rules.link_alias)?;
            let target = Target::new(child.clone(), Lookup::NameFirst);
            let child = self.find(&target).map_err(|_| Error::LinkMissing(child))?;
            if let Some((above, _)) = alias.rsplit_once('/') {
                return Err(Error::LinkParent(format!("/{}/{above}", definition.name)));
            }
            definition.links.entry(alias).or_insert(child.id);
        }
        Arc::make_mut(&mut definition.host_config).links = None;
        Ok(())
    }

    /// Root file system, directory and volumes of a new container.
    fn make_files(
        &self,
        id: Id,
        image: Option<Id>,
        plan: Option<volumes::Plan>,
        rules: &CreateRules,
    ) -> Result<(Option<(BTreeMap<String, Volume>, Vec<Id>)>, Undo), Error> {
        let mut undo = Undo::default();
        let chain = image.map(|image| self.0.images.chain(image)).transpose()?.unwrap_or_default();
        let rootfs = self.0.images.layers().create_rootfs(id, &chain)?;
        let remove = rootfs.clone();
        undo.push(move || drop(remove.remove()));
        let dir = self.container_dir(id);
        let make = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        make.map_err(|source| Error::Io { what: "making", path: dir.clone(), source })?;
        undo.push(move || drop(fs::remove_dir_all(dir)));
        let point = fault::point("engine.create.files");
        point.map_err(|source| Error::Io { what: "making", path: PathBuf::new(), source })?;
        let root = &self.0.settings.root;
        let volumes = plan.map(|plan| volumes::make(plan, root, &rootfs, rules, &mut undo)).transpose()?;
        Ok((volumes, undo))
    }
}

fn merge_image(command: &mut Create, image: &Image) -> Vec<Warning> {
    // A configuration that does not read as one (of an image made by others) counts as none.
    let Ok(of_image) = serde_json::from_value::<Option<ContainerConfig>>(image.config.clone()) else {
        return Vec::new();
    };
    let published = |config: &ContainerConfig| config.port_specs.iter().flatten().any(|spec| spec.contains(':'));
    let warn = published(&command.config) || of_image.as_ref().is_some_and(published);
    if let Some(of_image) = of_image {
        merge(&mut command.config, &of_image, command.rules.empty_entrypoint_is_none);
    }
    if warn { vec![Warning::HostPortInPortSpec] } else { Vec::new() }
}

/// The program and its arguments: the entrypoint's words, then the command's.
fn program(config: &ContainerConfig) -> Result<(String, Vec<String>), Error> {
    let mut words = config.entrypoint.iter().flatten().chain(config.cmd.iter().flatten()).cloned();
    let path = words.next().ok_or(Error::NoCommand)?;
    Ok((path, words.collect()))
}

/// `name:alias`, or the name alone where it may be its own alias.
fn parse_link(text: &str, alias_needed: bool) -> Result<(String, String), Error> {
    let malformed = || Error::LinkMalformed(text.to_owned());
    let mut parts = text.split(':');
    let (name, alias, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let alias = match (alias, more) {
        _ if text.is_empty() => return Err(malformed()),
        (Some(alias), None) => alias,
        (None, None) if !alias_needed => name,
        _ => return Err(malformed()),
    };
    let bare = |text: &str| text.strip_prefix('/').unwrap_or(text).to_owned();
    Ok((bare(name), bare(alias)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_a_container_and_an_alias() {
        assert_eq!(parse_link("/db:x", true).unwrap(), ("db".into(), "x".into()));
        assert_eq!(parse_link("db", false).unwrap(), ("db".into(), "db".into()));
        for (text, alias_needed) in [("db", true), ("a:b:c", false), ("", false)] {
            assert!(matches!(parse_link(text, alias_needed), Err(Error::LinkMalformed(_))), "{text}");
        }
    }
}
