//! A container in JSON: every fact that any version tells, under the names that the spec's types have.

use drydock_core::{Timestamp, human_duration};
use drydock_engine::{Exit, Inspection, ListItem, PortBindings, Snapshot, State};
use drydock_spec::Behaviour;
use serde_json::{Map, Value, json};

use crate::call::Call;

/// All of it, for inspect.
pub(crate) fn full(call: &Call, inspection: &Inspection) -> Value {
    let snapshot = &*inspection.snapshot;
    let host_config = host_config(inspection);
    let volumes = snapshot.volumes.as_ref().map(|volumes| {
        volumes.iter().map(|(path, volume)| (path.clone(), json!(volume.source))).collect::<Map<_, _>>()
    });
    let writable = snapshot.volumes.as_ref().map(|volumes| {
        volumes.iter().map(|(path, volume)| (path.clone(), json!(volume.writable))).collect::<Map<_, _>>()
    });
    json!({
        "Id": snapshot.id,
        "ID": snapshot.id,
        "Created": snapshot.created,
        "Path": path(call, &snapshot.path),
        "Args": &*snapshot.args,
        "State": state(call, &snapshot.state),
        "Image": snapshot.image.map(|image| image.to_string()).unwrap_or_default(),
        "NetworkSettings": network(call, snapshot),
        "ResolvConfPath": snapshot.files.resolv_conf,
        "HostnamePath": snapshot.files.hostname,
        "HostsPath": snapshot.files.hosts,
        "LogPath": snapshot.files.log,
        "Name": name(call, snapshot),
        "RestartCount": snapshot.restart_count,
        "Driver": snapshot.driver,
        "ExecDriver": snapshot.exec_driver,
        "Volumes": volumes,
        "VolumesRW": writable,
        "AppArmorProfile": profile(snapshot),
        "ExecIDs": &*snapshot.exec_ids,
        "HostConfig": host_config,
        "Config": to_value(&*snapshot.config),
    })
}

/// The host configuration with the links that the container has now, and limits from where they once stood.
fn host_config(inspection: &Inspection) -> Value {
    let snapshot = &*inspection.snapshot;
    let mut config = (*snapshot.host_config).clone();
    if !inspection.links.is_empty() {
        config.links = Some(inspection.links.clone());
    }
    let early = &snapshot.config.limits;
    for (limit, early) in [
        (&mut config.memory, early.memory),
        (&mut config.memory_swap, early.memory_swap),
        (&mut config.cpu_shares, early.cpu_shares),
    ] {
        if *limit == 0 {
            *limit = early;
        }
    }
    if config.cpuset_cpus.is_empty() {
        config.cpuset_cpus.clone_from(&early.cpuset);
    }
    to_value(&config)
}

/// The name, behind a slash; one daemon forgot it where it had given another name.
fn name(call: &Call, snapshot: &Snapshot) -> String {
    let slash = if snapshot.renamed && call.version.has(Behaviour::RenameDropsTheSlash) { "" } else { "/" };
    format!("{slash}{}", snapshot.name)
}

/// The profile that a security option names.
fn profile(snapshot: &Snapshot) -> &str {
    let options = snapshot.host_config.security_opt.iter().flatten();
    options.filter_map(|option| option.strip_prefix("apparmor:")).next_back().unwrap_or_default()
}

/// One daemon wrote a program's name that reads as JSON as that JSON.
fn path(call: &Call, path: &str) -> Value {
    let as_json = call.version.has(Behaviour::InspectPathReadAsJson).then(|| serde_json::from_str(path).ok()).flatten();
    as_json.unwrap_or_else(|| path.into())
}

fn to_value(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn state(call: &Call, state: &State) -> Value {
    let code = state.exited().map_or(0, |exited| call.policy().exit_codes().code(&exited.how));
    let error = match state.exited().map(|exited| &exited.how) {
        Some(Exit::NotStarted { failure, .. }) if call.version.has(Behaviour::StateError) => call.start_text(failure),
        _ => String::new(),
    };
    json!({
        "Running": state.is_up(),
        "Paused": state.is_paused(),
        "Restarting": matches!(state, State::Restarting(_)),
        "OOMKilled": state.oom_killed(),
        "Dead": matches!(state, State::Dead(_)),
        "Pid": state.running().map_or(0, |running| running.pid),
        "ExitCode": code,
        "Error": error,
        "StartedAt": state.started_at(),
        "FinishedAt": state.finished_at(),
    })
}

fn network(call: &Call, snapshot: &Snapshot) -> Value {
    let network = &*snapshot.network;
    // One daemon told of a place in the network that has no gateway what Go writes for none.
    let gateway = match network.gateway.as_str() {
        "" if !network.endpoint_id.is_empty() && call.version.has(Behaviour::InspectTellsEveryNetwork) => "<nil>",
        gateway => gateway,
    };
    json!({
        "Bridge": network.bridge,
        "EndpointID": network.endpoint_id,
        "NetworkID": network.network_id,
        "SandboxKey": network.sandbox_key,
        "Gateway": gateway,
        "IPAddress": network.ip_address,
        "IPPrefixLen": network.ip_prefix_len,
        "MacAddress": network.mac_address,
        "LinkLocalIPv6Address": network.link_local_ipv6_address,
        "LinkLocalIPv6PrefixLen": network.link_local_ipv6_prefix_len,
        "HairpinMode": network.hairpin_mode,
        "Ports": told_ports(call, snapshot),
    })
}

/// The ports as the version tells them: what is published, or what was asked for with what is published filled in.
fn told_ports(call: &Call, snapshot: &Snapshot) -> Option<PortBindings> {
    let published = snapshot.network.ports.as_ref()?;
    if call.version.has(Behaviour::InspectTellsEveryNetwork) {
        return Some(published.clone());
    }
    if snapshot.network.ip_address.is_empty() {
        return None;
    }
    let asked = snapshot.host_config.port_bindings.iter().flatten();
    let mut told: PortBindings =
        asked.map(|(port, bindings)| (port.clone(), Some(bindings.clone().unwrap_or_default()))).collect();
    for exposed in snapshot.config.exposed_ports.iter().flatten() {
        let port = if exposed.contains('/') { exposed.clone() } else { format!("{exposed}/tcp") };
        match published.get(&port).cloned().flatten().filter(|bindings| !bindings.is_empty()) {
            Some(bindings) => drop(told.insert(exposed.clone(), Some(bindings))),
            None => drop(told.entry(exposed.clone()).or_default()),
        }
    }
    Some(told)
}

/// A line of the list.
pub(crate) fn summary(call: &Call, item: &ListItem) -> Value {
    let snapshot = &*item.snapshot;
    let names: Vec<String> =
        std::iter::once(format!("/{}", snapshot.name)).chain(item.linked_as.iter().cloned()).collect();
    json!({
        "Id": snapshot.id,
        "Names": names,
        "Image": image(call, item),
        "Command": command(snapshot),
        "Created": snapshot.created.unix_seconds(),
        "Status": status(call, &snapshot.state),
        "Ports": ports(told_ports(call, snapshot).as_ref()),
        "Labels": snapshot.config.labels.clone().unwrap_or_default(),
        "SizeRw": item.sizes.map(|sizes| sizes.writable),
        "SizeRootFs": item.sizes.map(|sizes| if call.version.has(Behaviour::ListTellsNoRootSize) { 0 } else { sizes.root }),
    })
}

/// The image: its first name now, or its short id; or as create was given it, with its tag or without.
fn image(call: &Call, item: &ListItem) -> String {
    let snapshot = &item.snapshot;
    let given = &snapshot.config.image;
    if call.version.has(Behaviour::ListTellsImagesByTheirFirstName) {
        let short = || snapshot.image.map(|image| image.short()).unwrap_or_default();
        return item.image_name.clone().unwrap_or_else(short);
    }
    if call.version.has(Behaviour::ListTellsImagesAsGiven) || has_tag(given) {
        return given.clone();
    }
    format!("{given}:latest")
}

fn has_tag(image: &str) -> bool {
    image.rsplit('/').next().is_some_and(|last| last.contains([':', '@']))
}

/// Program and arguments; arguments with a blank are quoted.
fn command(snapshot: &Snapshot) -> String {
    let mut text = snapshot.path.clone();
    for argument in snapshot.args.iter() {
        text.push(' ');
        if argument.contains(' ') {
            text += &format!("'{argument}'");
        } else {
            text += argument;
        }
    }
    text
}

fn status(call: &Call, state: &State) -> String {
    let ago = |time: Timestamp| human_duration(Timestamp::now().since(time));
    let code = || state.exited().map_or(0, |exited| call.policy().exit_codes().code(&exited.how));
    match state {
        State::Running(running) => format!("Up {}", ago(running.started_at)),
        State::Paused(running) => format!("Up {} (Paused)", ago(running.started_at)),
        State::Restarting(exited) => format!("Restarting ({}) {} ago", code(), ago(exited.finished_at)),
        State::Dead(_) => "Dead".to_owned(),
        State::Exited(exited) if !exited.finished_at.is_zero() => {
            format!("Exited ({}) {} ago", code(), ago(exited.finished_at))
        }
        State::Created | State::Exited(_) => String::new(),
    }
}

/// Published ports, one object per address, and exposed ones without.
fn ports(bindings: Option<&PortBindings>) -> Vec<Value> {
    let mut ports = Vec::new();
    for (port, bindings) in bindings.into_iter().flatten() {
        let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let number: u16 = number.parse().unwrap_or_default();
        let bindings = bindings.as_deref().unwrap_or_default();
        if bindings.is_empty() {
            ports.push(json!({"PrivatePort": number, "Type": protocol}));
        }
        ports.extend(bindings.iter().map(|binding| {
            json!({"IP": binding.host_ip, "PrivatePort": number, "PublicPort": binding.host_port.parse::<u16>().unwrap_or_default(), "Type": protocol})
        }));
    }
    ports
}
