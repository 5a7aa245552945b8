//! A run's place in the network, and the files that tell the container of it.

use super::launch::{Attempt, SharedNetwork, chain, step};
use super::publish::publish;
use crate::container::Definition;
use crate::links::Link;
use crate::{Engine, StartFailure};
use drydock_core::Id;
use drydock_network::{Attachment, Bridged, Hosts, Mode, Namespace, PortRange, ResolvConf};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Where a run is in the network.
pub(super) struct Placed {
    /// What is its own; `None` where it shares another container's.
    pub(super) network: Option<Attachment>,
    pub(super) namespace: Namespace,
}

impl Engine {
    /// Finds the run its place. `attempt` keeps each file from when it is there, and what the network decides: host
    /// name, and the mode where it was left open.
    pub(super) fn place(
        &self,
        id: Id,
        attempt: &mut Attempt,
        shared: Result<Option<SharedNetwork>, StartFailure>,
        links: &[Link],
    ) -> Result<Placed, StartFailure> {
        let rules = attempt.definition.inside;
        if rules.network_mode_told && attempt.definition.host_config.network_mode.is_empty() {
            Arc::make_mut(&mut attempt.definition.host_config).network_mode = "bridge".to_owned();
        }
        if rules.resolver_first && attempt.files.resolv_conf.as_os_str().is_empty() {
            self.write_resolver(id, attempt)?;
        }
        if let Some(shared) = shared? {
            return Ok(share(attempt, shared));
        }
        if attempt.definition.host_config.network_mode == "host" {
            take_hosts_name(&mut attempt.definition);
        }
        if rules.network_mode_first {
            check_mode(&attempt.definition)?;
        }
        let network = match attempt.network.take() {
            Some(kept) => kept,
            None => self.0.network.attach(&id, &mode(&attempt.definition)?).map_err(failure)?,
        };
        if !(attempt.definition.config.network_disabled && rules.no_files_without_network) {
            self.write_resolver(id, attempt)?;
            self.write_hosts(id, attempt, &network, links)?;
        }
        self.write_hostname(id, attempt)?;
        Ok(Placed { namespace: network.namespace().clone(), network: Some(network) })
    }

    fn write_resolver(&self, id: Id, attempt: &mut Attempt) -> Result<(), StartFailure> {
        let (host, settings) = (&attempt.definition.host_config, &self.0.settings);
        let on_host = host.network_mode == "host";
        let or = |own: &Option<Vec<String>>, default: &Vec<String>| match own {
            _ if on_host => Vec::new(),
            Some(own) if !own.is_empty() => own.clone(),
            _ => default.clone(),
        };
        let resolv = ResolvConf {
            dns: or(&host.dns, &settings.dns),
            search: or(&host.dns_search, &settings.dns_search),
            keep_unreachable: on_host || attempt.definition.inside.loopback_nameservers,
        };
        attempt.files.resolv_conf = self.container_dir(id).join("resolv.conf");
        write(&attempt.files.resolv_conf, &resolv.render(&read("/etc/resolv.conf")))
    }

    fn write_hosts(
        &self,
        id: Id,
        attempt: &mut Attempt,
        network: &Attachment,
        links: &[Link],
    ) -> Result<(), StartFailure> {
        let (config, host) = (&attempt.definition.config, &attempt.definition.host_config);
        let all_names = attempt.definition.inside.linked_by_all_names;
        let extra = host.extra_hosts.clone().unwrap_or_default();
        if let Some(wrong) = extra.iter().find(|entry| !entry.contains(':')) {
            return Err(StartFailure::ExtraHost(wrong.clone()));
        }
        let text = if host.network_mode == "host" {
            read("/etc/hosts")
        } else {
            let hosts = Hosts {
                address: network.record().endpoint.as_ref().map(|endpoint| IpAddr::V4(endpoint.address)),
                hostname: config.hostname.clone(),
                domainname: config.domainname.clone(),
                extra,
                links: links.iter().map(|link| link.host(all_names)).collect(),
            };
            hosts.render().into_bytes()
        };
        attempt.files.hosts = self.container_dir(id).join("hosts");
        write(&attempt.files.hosts, &text)
    }

    fn write_hostname(&self, id: Id, attempt: &mut Attempt) -> Result<(), StartFailure> {
        let config = &attempt.definition.config;
        let name = match config.domainname.as_str() {
            "" => config.hostname.clone(),
            domain => format!("{}.{domain}", config.hostname),
        };
        attempt.files.hostname = self.container_dir(id).join("hostname");
        write(&attempt.files.hostname, drydock_network::hostname(&name).as_bytes())
    }
}

/// Takes over the network of another container, with its name and files.
fn share(attempt: &mut Attempt, shared: SharedNetwork) -> Placed {
    let config = Arc::make_mut(&mut attempt.definition.config);
    config.hostname = shared.hostname;
    config.domainname = shared.domainname;
    attempt.files.resolv_conf = shared.files.resolv_conf;
    attempt.files.hosts = shared.files.hosts;
    if attempt.definition.inside.hostname_file_shared {
        attempt.files.hostname = shared.files.hostname;
    }
    Placed { network: None, namespace: shared.namespace }
}

/// Whether the network mode is one that there is.
///
/// # Errors
/// `NetworkMissing`.
pub(super) fn check_mode(definition: &Definition) -> Result<(), StartFailure> {
    let mode = definition.host_config.network_mode.as_str();
    let known = ["", "default", "bridge", "host", "none"].contains(&mode) || mode.starts_with("container:");
    if known || definition.config.network_disabled {
        return Ok(());
    }
    Err(StartFailure::NetworkMissing(mode.to_owned()))
}

fn mode(definition: &Definition) -> Result<Mode, StartFailure> {
    let (config, host, rules) = (&definition.config, &definition.host_config, definition.inside);
    if config.network_disabled {
        return Ok(Mode::None);
    }
    match host.network_mode.as_str() {
        "host" => Ok(Mode::Host),
        "none" => Ok(Mode::None),
        _ => Ok(Mode::Bridge(Bridged {
            mac: parse_mac(&config.mac_address).or_else(|| rules.mac_left_to_kernel.then(made_up_mac)),
            publish: publish(config, host, rules)?,
            ephemeral: if rules.high_ephemeral_ports { PortRange::OLD_EPHEMERAL } else { PortRange::EPHEMERAL },
            first_address: rules.first_address,
            multicast: rules.multicast,
            queue: rules.transmit_queue,
        })),
    }
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> = text.split([':', '-']).map(|byte| u8::from_str_radix(byte, 16).ok()).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// A hardware address of nobody's, as the kernel makes them up.
fn made_up_mac() -> [u8; 6] {
    let mut mac = [0; 6];
    // Without random bytes it is a plain one; whether another has it on the bridge is chance anyway.
    let _ = getrandom::fill(&mut mac);
    mac[0] = mac[0] & 0xfe | 0x02;
    mac
}

fn failure(error: drydock_network::Error) -> StartFailure {
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

/// In the host's network a container has the host's name.
fn take_hosts_name(definition: &mut Definition) {
    let Ok(name) = nix::unistd::gethostname() else { return };
    let name = name.to_string_lossy();
    let (hostname, domainname) = name.split_once('.').unwrap_or((&name, ""));
    let config = Arc::make_mut(&mut definition.config);
    config.hostname = hostname.to_owned();
    config.domainname = domainname.to_owned();
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

fn write(path: &Path, text: &[u8]) -> Result<(), StartFailure> {
    fs::write(path, text).map_err(|error| step("host files", &error))
}
