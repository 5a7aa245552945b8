//! Which ports a run publishes: exposed ones that have a binding, or all that are exposed.

use crate::StartFailure;
use crate::config::{ContainerConfig, HostConfig, InsideRules, PortBinding};
use drydock_network::{HostPort, Port, PortRange, Protocol, Publish};
use std::net::IpAddr;

/// What is to be published. A binding of a port that is not exposed publishes nothing.
///
/// # Errors
/// `PortProtocol`, `HostAddress`, `HostPort`, `PortRule`.
pub(super) fn publish(
    config: &ContainerConfig,
    host: &HostConfig,
    rules: InsideRules,
) -> Result<Vec<Publish>, StartFailure> {
    let mut wishes = Vec::new();
    for exposed in config.exposed_ports.iter().flatten() {
        let bindings = host.port_bindings.as_ref().and_then(|all| all.get(exposed)?.as_deref()).unwrap_or_default();
        if bindings.is_empty() && host.publish_all_ports {
            wishes.push(Publish { port: port(exposed)?, address: None, host_port: HostPort::Any });
        }
        for binding in bindings {
            wishes.push(Publish {
                port: port(exposed)?,
                address: address(binding, rules)?,
                host_port: host_port(&binding.host_port, rules)?,
            });
        }
    }
    if rules.larger_ports_first {
        wishes.sort_by_key(|wish| {
            let host_port = match wish.host_port {
                HostPort::Exactly(port) | HostPort::Range(PortRange { first: port, .. }) => port,
                HostPort::Any => 0,
            };
            std::cmp::Reverse((host_port, wish.port.number, wish.port.protocol == Protocol::Tcp))
        });
    }
    Ok(wishes)
}

/// `80/tcp`, or `80`. A number that cannot be read is 0, as Go's was.
pub(super) fn port(text: &str) -> Result<Port, StartFailure> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(StartFailure::PortProtocol(other.to_owned())),
    };
    Ok(Port { number: number.parse().unwrap_or(0), protocol })
}

fn address(binding: &PortBinding, rules: InsideRules) -> Result<Option<IpAddr>, StartFailure> {
    match binding.host_ip.as_str() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) if rules.host_address_checked => Err(StartFailure::HostAddress(text.to_owned())),
            // The oldest let the port's rule fail of it.
            Err(_) if rules.host_ports_lenient => Err(StartFailure::PortRule(text.to_owned())),
            Err(_) => Ok(None),
        },
    }
}

fn host_port(text: &str, rules: InsideRules) -> Result<HostPort, StartFailure> {
    match (text.trim().parse::<u64>(), text) {
        (Ok(0), _) | (_, "") => Ok(HostPort::Any),
        (Ok(port), _) => match u16::try_from(port) {
            Ok(port) => Ok(HostPort::Exactly(port)),
            Err(_) if rules.host_ports_lenient => Err(StartFailure::PortRule(text.to_owned())),
            Err(_) => Err(StartFailure::HostPort(text.to_owned())),
        },
        (Err(_), _) if rules.host_ports_lenient => Ok(HostPort::Any),
        (Err(_), _) => Err(StartFailure::HostPort(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn published(exposed: &[&str], bindings: &[(&str, &str, &str)], rules: InsideRules) -> Result<Vec<String>, String> {
        let config = ContainerConfig {
            exposed_ports: Some(exposed.iter().map(|port| (*port).to_owned()).collect::<BTreeSet<_>>()),
            ..ContainerConfig::default()
        };
        let mut map: BTreeMap<String, Option<Vec<PortBinding>>> = BTreeMap::new();
        for (port, host_ip, host_port) in bindings {
            let binding = PortBinding { host_ip: (*host_ip).to_owned(), host_port: (*host_port).to_owned() };
            map.entry((*port).to_owned()).or_default().get_or_insert_default().push(binding);
        }
        let host = HostConfig { port_bindings: Some(map), ..HostConfig::default() };
        let told = |wish: Publish| format!("{} {:?}", wish.port, wish.host_port);
        publish(&config, &host, rules)
            .map(|wishes| wishes.into_iter().map(told).collect())
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn what_is_not_exposed_in_so_many_words_is_not_published() {
        let newest = InsideRules::default();
        let bindings = [("80/tcp", "", "8080"), ("81/tcp", "", "8081"), ("82", "", "8082")];
        assert_eq!(published(&["80/tcp", "82/tcp"], &bindings, newest).unwrap(), ["80/tcp Exactly(8080)"]);
    }

    #[test]
    fn larger_host_ports_go_first_where_the_daemon_had_it_so() {
        let bindings = [("80/tcp", "", "1"), ("80/tcp", "", "2")];
        let rules = InsideRules { larger_ports_first: false, ..InsideRules::default() };
        assert_eq!(published(&["80/tcp"], &bindings, rules).unwrap(), ["80/tcp Exactly(1)", "80/tcp Exactly(2)"]);
        let rules = InsideRules { larger_ports_first: true, ..InsideRules::default() };
        assert_eq!(published(&["80/tcp"], &bindings, rules).unwrap(), ["80/tcp Exactly(2)", "80/tcp Exactly(1)"]);
    }

    #[test]
    fn host_ports_that_cannot_be_read_are_any_or_refused() {
        let lenient = InsideRules { host_ports_lenient: true, ..InsideRules::default() };
        let strict = InsideRules { host_ports_lenient: false, ..InsideRules::default() };
        for (text, old, new) in
            [("x", "Any", "HostPort"), ("1-2", "Any", "HostPort"), ("70000", "PortRule", "HostPort")]
        {
            let bound = |rules| match published(&["80/tcp"], &[("80/tcp", "", text)], rules) {
                Ok(told) => told.concat(),
                Err(told) => told,
            };
            assert!(bound(lenient).contains(old) && bound(strict).contains(new), "{text}");
        }
    }

    #[test]
    fn a_host_address_that_is_none_is_refused_or_any() {
        let checked = InsideRules { host_address_checked: true, ..InsideRules::default() };
        let bindings = [("80/tcp", "300.1.1.1", "")];
        assert!(published(&["80/tcp"], &bindings, checked).unwrap_err().contains("HostAddress"));
        assert_eq!(published(&["80/tcp"], &bindings, InsideRules::default()).unwrap(), ["80/tcp Any"]);
    }
}
