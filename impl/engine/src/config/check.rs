//! What is refused before anything is made.
//!
//! The order is the daemons': the first mistake found is the one that a client hears of.

use super::{ContainerConfig, EarlyLimits, HostConfig, PortBindings};
use crate::{Error, VolumeError, VolumePlace};

/// Checks that some daemons made and others did not. All off: nothing is checked but name, image and command.
#[derive(Clone, Debug, Default)]
pub struct CreateRules {
    /// Least memory limit, bytes; 0: none.
    pub minimum_memory: i64,
    /// A swap limit below the memory limit is refused.
    pub swap_not_below_memory: bool,
    /// A swap limit without a memory limit is refused.
    pub swap_needs_memory: bool,
    /// A blkio weight outside 10 to 1000 is refused.
    pub blkio_weight: bool,
    /// Options of the driver that is gone are refused.
    pub lxc_options: bool,
    /// A relative working directory is refused.
    pub working_dir_absolute: bool,
    /// Malformed port bindings are refused.
    pub ports: bool,
    /// The host configuration is looked at: links, security options, and (unless made at the first start) binds.
    /// Daemons that took none at create look at start only.
    pub host_config: bool,
    /// Volumes are made at the first start, not before.
    pub volumes_at_start: bool,
    /// Where the data of volumes goes.
    pub volume_place: VolumePlace,
    /// A start's host configuration is kept before its volumes are looked at, which then fail the start and not the
    /// request; that each bind has a source is looked at before.
    pub host_config_kept_first: bool,
    /// Binds are read as the oldest daemons read them: a lone path is a destination without a source, and the root is
    /// refused at once, not where it is mounted.
    pub oldest_binds: bool,
    /// Two binds at one path are refused.
    pub volumes_once: bool,
    /// A volume over a file of the image is refused.
    pub volume_over_file: bool,
    /// Modes of binds other than `ro` and `rw` are refused.
    pub bind_mode: bool,
    /// What a container to share the IPC namespace with must be at create.
    pub ipc_target: IpcTarget,
    /// The daemon's log options stand in a configuration that asks for no driver even where there are none.
    pub default_log_options_empty: bool,
    /// A container can be made of nothing.
    pub image_may_be_empty: bool,
    /// A link must have an alias.
    pub link_alias: bool,
    /// An empty entrypoint is as none.
    pub empty_entrypoint_is_none: bool,
}

/// What a container to share the IPC namespace with must be when one that shares it is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpcTarget {
    /// It is looked for at start only.
    #[default]
    Anything,
    /// It exists.
    There,
    /// It runs.
    Running,
}

impl CreateRules {
    /// What needs no look at anything else.
    pub(crate) fn check(&self, config: Option<&ContainerConfig>, host: &HostConfig) -> Result<(), Error> {
        let relative = |dir: &str| !dir.is_empty() && !dir.starts_with('/');
        if let Some(config) = config.filter(|config| self.working_dir_absolute && relative(&config.working_dir)) {
            return Err(Error::WorkingDirRelative(config.working_dir.clone()));
        }
        if self.ports {
            check_ports(host.port_bindings.as_ref())?;
        }
        if self.lxc_options && host.lxc_conf.as_ref().is_some_and(|options| !options.is_empty()) {
            return Err(Error::LxcOptions);
        }
        self.check_limits(&effective_limits(config.map(|config| &config.limits), host))?;
        if self.blkio_weight && host.blkio_weight != 0 && !(10..=1000).contains(&host.blkio_weight) {
            return Err(Error::BlkioWeight);
        }
        Ok(())
    }

    /// What is looked at before a host configuration is kept, where its volumes are looked at after.
    pub(crate) fn check_bind_sources(&self, host: &HostConfig) -> Result<(), Error> {
        let sourceless = |bind: &&String| bind.split(':').next().is_none_or(str::is_empty);
        match host.binds.iter().flatten().find(sourceless) {
            Some(_) if self.host_config_kept_first => Err(Error::Volume(VolumeError::NoSource)),
            _ => Ok(()),
        }
    }

    fn check_limits(&self, limits: &EarlyLimits) -> Result<(), Error> {
        let EarlyLimits { memory, memory_swap: swap, .. } = *limits;
        if memory != 0 && memory < self.minimum_memory {
            return Err(Error::MemoryTooSmall { minimum: self.minimum_memory });
        }
        if self.swap_not_below_memory && memory > 0 && swap > 0 && swap < memory {
            return Err(Error::SwapBelowMemory);
        }
        if self.swap_needs_memory && memory == 0 && swap > 0 {
            return Err(Error::SwapWithoutMemory);
        }
        Ok(())
    }
}

/// Limits that count: the host configuration's where set, else the container's.
pub(crate) fn effective_limits(early: Option<&EarlyLimits>, host: &HostConfig) -> EarlyLimits {
    let early = early.cloned().unwrap_or_default();
    let or = |host: i64, early: i64| if host == 0 { early } else { host };
    EarlyLimits {
        memory: or(host.memory, early.memory),
        memory_swap: or(host.memory_swap, early.memory_swap),
        cpu_shares: or(host.cpu_shares, early.cpu_shares),
        cpuset: if host.cpuset_cpus.is_empty() { early.cpuset } else { host.cpuset_cpus.clone() },
    }
}

/// `label:…`, `apparmor:…`, or the word `disable` of a label.
pub(crate) fn check_security_options(options: &[String]) -> Result<(), Error> {
    match options.iter().find(|option| !matches!(option.split_once(':'), Some(("label" | "apparmor", _)))) {
        Some(option) => Err(Error::SecurityOption(option.clone())),
        None => Ok(()),
    }
}

/// The container's ports are numbers. Those of the host are looked at when they are published.
fn check_ports(bindings: Option<&PortBindings>) -> Result<(), Error> {
    let numbers = bindings.into_iter().flatten().map(|(port, _)| port.split('/').next().unwrap_or_default());
    match numbers.into_iter().find(|number| number.parse::<u16>().is_err()) {
        Some(number) => Err(Error::PortMalformed(number.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest() -> CreateRules {
        CreateRules {
            minimum_memory: 4 << 20,
            swap_not_below_memory: true,
            swap_needs_memory: true,
            blkio_weight: true,
            lxc_options: true,
            working_dir_absolute: true,
            ports: true,
            ..CreateRules::default()
        }
    }

    fn refusal(host: HostConfig) -> String {
        format!("{:?}", newest().check(None, &host).unwrap_err())
    }

    #[test]
    fn each_rule_refuses_what_it_is_about_and_none_does_when_off() {
        let small = HostConfig { memory: 1, ..HostConfig::default() };
        assert_eq!(refusal(small.clone()), "MemoryTooSmall { minimum: 4194304 }");
        let below = HostConfig { memory: 8 << 20, memory_swap: 4 << 20, ..HostConfig::default() };
        assert_eq!(refusal(below), "SwapBelowMemory");
        assert_eq!(refusal(HostConfig { memory_swap: 1, ..HostConfig::default() }), "SwapWithoutMemory");
        assert_eq!(refusal(HostConfig { blkio_weight: 5, ..HostConfig::default() }), "BlkioWeight");
        assert!(CreateRules::default().check(None, &small).is_ok());
    }

    #[test]
    fn limits_of_the_container_count_where_the_host_has_none() {
        let early = EarlyLimits { memory: 5, cpuset: "0".into(), ..EarlyLimits::default() };
        let host = HostConfig { memory: 7, ..HostConfig::default() };
        let limits = effective_limits(Some(&early), &host);
        assert_eq!((limits.memory, limits.cpuset.as_str()), (7, "0"));
    }

    #[test]
    fn security_options_have_a_known_word_before_a_colon() {
        let check = |option: &str| check_security_options(&[option.to_owned()]);
        assert!(check("label:user:u").is_ok() && check("apparmor:x").is_ok());
        for option in ["bogus", "bogus:x", ""] {
            assert!(matches!(check(option), Err(Error::SecurityOption(text)) if text == option));
        }
    }

    #[test]
    fn ports_of_the_container_are_numbers() {
        let bind = |port: &str| check_ports(Some(&PortBindings::from([(port.to_owned(), None)])));
        assert!(bind("80/tcp").is_ok() && bind("80").is_ok());
        assert!(matches!(bind("8000-8002/tcp"), Err(Error::PortMalformed(text)) if text == "8000-8002"));
    }
}
