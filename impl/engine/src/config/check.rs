//! What is refused before anything is made.
//!
//! The order is the daemons': the first mistake found is the one that a client hears of.

use super::{ContainerConfig, EarlyLimits, HostConfig, PortBindings};
use crate::Error;

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
    /// Two binds at one path are refused.
    pub volumes_once: bool,
    /// A volume over a file of the image is refused.
    pub volume_over_file: bool,
    /// Modes of binds other than `ro` and `rw` are refused.
    pub bind_mode: bool,
    /// A container to share the IPC namespace with must run already.
    pub ipc_target_runs: bool,
    /// A link must have an alias.
    pub link_alias: bool,
    /// An empty entrypoint is as none.
    pub empty_entrypoint_is_none: bool,
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

fn check_ports(bindings: Option<&PortBindings>) -> Result<(), Error> {
    for (port, bindings) in bindings.into_iter().flatten() {
        let number = port.split('/').next().unwrap_or_default();
        if number.parse::<u16>().is_err() {
            return Err(Error::PortMalformed(number.to_owned()));
        }
        for host_port in bindings.iter().flatten().map(|binding| binding.host_port.as_str()) {
            let well = match host_port.split_once('-') {
                None => host_port.is_empty() || host_port.parse::<u16>().is_ok(),
                Some((from, to)) => {
                    matches!((from.parse::<u16>(), to.parse::<u16>()), (Ok(from), Ok(to)) if from <= to)
                }
            };
            if !well {
                return Err(Error::PortMalformed(host_port.to_owned()));
            }
        }
    }
    Ok(())
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
    fn ports_are_numbers_and_host_ports_may_be_ranges() {
        let bind = |port: &str, host: &str| {
            let binding = super::super::PortBinding { host_ip: String::new(), host_port: host.into() };
            check_ports(Some(&PortBindings::from([(port.to_owned(), Some(vec![binding]))])))
        };
        assert!(bind("80/tcp", "").is_ok() && bind("80", "8000-8002").is_ok());
        assert!(matches!(bind("8000-8002/tcp", ""), Err(Error::PortMalformed(text)) if text == "8000-8002"));
        assert!(matches!(bind("80/tcp", "x"), Err(Error::PortMalformed(_))));
    }
}
