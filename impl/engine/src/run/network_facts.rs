//! What clients are told of a run's network.

use crate::config::{PortBinding, PortBindings};
use crate::container::Definition;
use crate::snapshot::NetworkSettings;
use drydock_network::{Namespace, Record};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// What inspect tells of a run's network.
///
/// `namespaces` is where network namespaces are; the host's stands there as `default`.
pub(super) fn network_settings(record: Option<&Record>, definition: &Definition, namespaces: &Path) -> NetworkSettings {
    let Some(record) = record.filter(|_| !definition.config.network_disabled) else {
        return NetworkSettings::default();
    };
    let sandbox = match &record.namespace {
        Namespace::Path(path) => path.clone(),
        Namespace::Host => namespaces.join("default"),
    };
    let sandbox_key = sandbox.display().to_string();
    let Some(endpoint) = &record.endpoint else {
        return NetworkSettings {
            endpoint_id: made_of(&(&sandbox_key, record.container)),
            network_id: made_of(&definition.host_config.network_mode),
            sandbox_key,
            ports: Some(PortBindings::new()),
            ..NetworkSettings::default()
        };
    };
    let mut ports: PortBindings = definition
        .config
        .exposed_ports
        .iter()
        .flatten()
        .map(|port| (if port.contains('/') { port.clone() } else { format!("{port}/tcp") }, None))
        .collect();
    for published in &endpoint.ports {
        let binding =
            PortBinding { host_ip: published.address.to_string(), host_port: published.host_port.to_string() };
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
