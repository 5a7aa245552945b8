//! What a container knows of those it links to: lines of its hosts file, and variables.

use crate::container::Container;
use crate::snapshot::Snapshot;
use crate::{Engine, StartFailure};
use drydock_core::Name;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A linked container that runs.
pub(crate) struct Link {
    alias: String,
    address: IpAddr,
    child: Arc<Snapshot>,
}

impl Engine {
    /// The containers that `container` links to, by alias.
    ///
    /// # Errors
    /// `LinkNotRunning` for one that does not run.
    pub(crate) fn links(&self, container: &Container, name: &Name) -> Result<Vec<Link>, StartFailure> {
        let children = self.0.registry.children(container.id);
        let link = |(alias, child): (String, Arc<Container>)| {
            let child = child.view();
            match child.network.ip_address.parse() {
                Ok(address) if child.state.running().is_some() => Ok(Link { alias, address, child }),
                _ => Err(StartFailure::LinkNotRunning {
                    child: format!("/{}", child.name),
                    alias: format!("/{name}/{alias}"),
                }),
            }
        };
        children.into_iter().map(link).collect()
    }
}

impl Link {
    /// What the linking container calls it.
    pub(crate) fn alias(&self) -> &str {
        &self.alias
    }

    /// Its line of the hosts file: address and names. With `all_names` its host name and its own name, too.
    pub(crate) fn host(&self, all_names: bool) -> (IpAddr, Vec<String>) {
        let mut names = vec![self.alias.clone()];
        if all_names {
            names.push(self.child.config.hostname.clone());
            if self.child.name.as_str() != self.alias {
                names.push(self.child.name.to_string());
            }
        }
        (self.address, names)
    }

    /// Its variables: where each exposed port is, its name, and what its own environment says.
    pub(crate) fn env(&self, parent: &Name) -> Vec<String> {
        let prefix = self.alias.to_uppercase().replace('-', "_");
        let ports = self.ports();
        let mut env = Vec::new();
        if let Some((number, protocol)) = ports.iter().min_by_key(|(number, protocol)| (*number, protocol != "tcp")) {
            env.push(format!("{prefix}_PORT={protocol}://{}:{number}", self.address));
        }
        for (number, protocol) in &ports {
            let port = format!("{prefix}_PORT_{number}_{}", protocol.to_uppercase());
            env.push(format!("{port}={protocol}://{}:{number}", self.address));
            env.push(format!("{port}_ADDR={}", self.address));
            env.push(format!("{port}_PORT={number}"));
            env.push(format!("{port}_PROTO={protocol}"));
        }
        env.push(format!("{prefix}_NAME=/{parent}/{}", self.alias));
        for entry in self.child.config.env.iter().flatten() {
            match entry.split_once('=') {
                Some(("HOME" | "PATH", _)) | None => {}
                Some((name, value)) => env.push(format!("{prefix}_ENV_{name}={value}")),
            }
        }
        env
    }

    fn ports(&self) -> BTreeSet<(u16, String)> {
        let exposed = self.child.config.exposed_ports.iter().flatten();
        exposed
            .filter_map(|port| {
                let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
                Some((number.parse().ok()?, protocol.to_owned()))
            })
            .collect()
    }
}

/// The hosts file `text`, where lines that know one of `names` get the new address.
pub(crate) fn readdress(text: &str, names: &[String], address: &str) -> String {
    let line = |line: &str| {
        let Some((_, rest)) = line.split_once(['\t', ' ']) else { return line.to_owned() };
        match rest.split_whitespace().any(|word| names.iter().any(|name| name == word)) {
            true => format!("{address}\t{rest}"),
            false => line.to_owned(),
        }
    };
    let mut text: String = text.lines().map(|text| line(text) + "\n").collect();
    if text == "\n" {
        text.clear();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_linked_container_get_its_new_address_and_no_others() {
        let text = "127.0.0.1\tlocalhost\n172.17.0.2\tother web1 t\n";
        let names = ["other".to_owned()];
        assert_eq!(readdress(text, &names, "172.17.0.9"), "127.0.0.1\tlocalhost\n172.17.0.9\tother web1 t\n");
    }
}
