//! An image's configuration under a client's.

use super::ContainerConfig;
use std::collections::BTreeSet;

/// Fills what `config` leaves out from the image's configuration, and adds what both may have: ports, volumes,
/// variables, labels. An empty entrypoint is one of its own, unless `empty_entrypoint_is_none`.
pub(crate) fn merge(config: &mut ContainerConfig, image: &ContainerConfig, empty_entrypoint_is_none: bool) {
    if config.user.is_empty() {
        config.user.clone_from(&image.user);
    }
    if config.working_dir.is_empty() {
        config.working_dir.clone_from(&image.working_dir);
    }
    unite(&mut config.exposed_ports, &image.exposed_ports);
    unite(&mut config.volumes, &image.volumes);
    let own_ports = config.port_specs.take().unwrap_or_default();
    expose(&mut config.exposed_ports, &own_ports);
    expose(&mut config.exposed_ports, image.port_specs.as_deref().unwrap_or_default());
    merge_env(&mut config.env, &image.env);
    let mut labels = image.labels.clone().unwrap_or_default();
    labels.extend(config.labels.take().unwrap_or_default());
    config.labels = Some(labels);
    if is_empty(&config.entrypoint) {
        if is_empty(&config.cmd) {
            config.cmd.clone_from(&image.cmd);
        }
        if config.entrypoint.is_none() || empty_entrypoint_is_none {
            config.entrypoint.clone_from(&image.entrypoint);
        }
    }
}

fn is_empty(words: &Option<Vec<String>>) -> bool {
    words.as_ref().is_none_or(Vec::is_empty)
}

fn unite(own: &mut Option<BTreeSet<String>>, image: &Option<BTreeSet<String>>) {
    match own {
        Some(own) if !own.is_empty() => own.extend(image.iter().flatten().cloned()),
        _ => own.clone_from(image),
    }
}

/// `[[address:]host port:]port[/protocol]`: the last part is what is exposed.
fn expose(ports: &mut Option<BTreeSet<String>>, specs: &[String]) {
    for spec in specs {
        let (spec, protocol) = spec.split_once('/').unwrap_or((spec, "tcp"));
        let port = spec.rsplit(':').next().unwrap_or(spec);
        ports.get_or_insert_default().insert(format!("{port}/{protocol}"));
    }
}

fn merge_env(own: &mut Option<Vec<String>>, image: &Option<Vec<String>>) {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    match own {
        Some(own) if !own.is_empty() => {
            let named: BTreeSet<String> = own.iter().map(|entry| name(entry)).collect();
            own.extend(image.iter().flatten().filter(|entry| !named.contains(&name(entry))).cloned());
        }
        _ => own.clone_from(image),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn merged(cmd: Option<Vec<String>>, entrypoint: Option<Vec<String>>, old: bool) -> ContainerConfig {
        let image = ContainerConfig { cmd: words(&["c"]), entrypoint: words(&["e"]), ..ContainerConfig::default() };
        let mut config = ContainerConfig { cmd, entrypoint, ..ContainerConfig::default() };
        merge(&mut config, &image, old);
        config
    }

    #[test]
    fn the_images_command_goes_only_with_the_images_entrypoint() {
        let config = merged(None, None, false);
        assert_eq!((config.cmd, config.entrypoint), (words(&["c"]), words(&["e"])));
        let config = merged(words(&["x"]), None, false);
        assert_eq!((config.cmd, config.entrypoint), (words(&["x"]), words(&["e"])));
        let config = merged(None, words(&["x"]), false);
        assert_eq!((config.cmd, config.entrypoint), (None, words(&["x"])));
    }

    #[test]
    fn an_empty_entrypoint_takes_the_images_away_but_not_for_the_oldest() {
        assert_eq!(merged(None, words(&[]), false).entrypoint, words(&[]));
        assert_eq!(merged(None, words(&[]), true).entrypoint, words(&["e"]));
    }

    #[test]
    fn own_variables_go_first_and_hide_the_images() {
        let image = ContainerConfig { env: words(&["A=1", "B=2"]), ..ContainerConfig::default() };
        let mut config = ContainerConfig { env: words(&["B=3", "C"]), ..ContainerConfig::default() };
        merge(&mut config, &image, false);
        assert_eq!(config.env, words(&["B=3", "C", "A=1"]));
    }

    #[test]
    fn ports_and_volumes_are_united() {
        let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
        let image = ContainerConfig { volumes: set(&["/a"]), exposed_ports: set(&["1/tcp"]), ..Default::default() };
        let mut config =
            ContainerConfig { volumes: set(&["/b"]), port_specs: words(&["8080:80", "5/udp"]), ..Default::default() };
        merge(&mut config, &image, false);
        assert_eq!(config.volumes, set(&["/a", "/b"]));
        assert_eq!(config.exposed_ports, set(&["1/tcp", "5/udp", "80/tcp"]));
        assert_eq!(config.port_specs, None);
    }
}
