//! What a container sees of its host configuration: the recorded containers print it.

use super::{Check::Recorded, Scenario, Seen, Shown, holds};

macro_rules! prints {
    ($name:literal, $clauses:expr, $from:literal, $scenario:literal, $($line:literal),+) => {
        Scenario {
            name: $name,
            clauses: $clauses,
            from: $from,
            until: "",
            check: Recorded($scenario, |seen| { $(printed(seen, $line)?;)+ Ok(()) }),
        }
    };
}

pub(super) const SCENARIOS: &[Scenario] = &[
    prints!(
        "Dns names the container's nameservers",
        &["api.containers.create.069"],
        "1.15",
        "hostconfig/dns",
        "nameserver 192.0.2.1",
        "nameserver 192.0.2.2"
    ),
    prints!(
        "DnsSearch names the container's search domains",
        &["api.containers.create.070"],
        "1.15",
        "hostconfig/dnssearch",
        "search "
    ),
    prints!(
        "ExtraHosts stand in the container's hosts file",
        &["api.containers.create.071"],
        "1.15",
        "hostconfig/extrahosts",
        "192.0.2.9\ta",
        "192.0.2.10\tb"
    ),
    prints!(
        "a bind ending in ro is mounted read-only",
        &["api.containers.create.059"],
        "1.15",
        "hostconfig/binds-ro",
        " on /mnt type ",
        "(ro,"
    ),
    prints!(
        "a bind mounts the host's path",
        &["api.containers.create.056", "api.containers.create.058"],
        "1.15",
        "hostconfig/binds-ok",
        " on /mnt type "
    ),
    prints!(
        "a link stands in the container's hosts file and environment",
        &["api.containers.create.060"],
        "1.15",
        "hostconfig/links-ok",
        "\tdb",
        "DB_PORT_5432_TCP_PORT=5432",
        "DB_ENV_DBENV=1"
    ),
    prints!(
        "VolumesFrom brings the other container's volumes",
        &["api.containers.create.073"],
        "1.15",
        "hostconfig/volumesfrom",
        " on /dbvol type "
    ),
    prints!(
        "VolumesFrom ending in ro brings them read-only",
        &["api.containers.create.075"],
        "1.15",
        "hostconfig/volumesfrom-ro",
        " on /dbvol type ",
        "(ro,"
    ),
    Scenario {
        name: "CapDrop of all leaves no capability",
        clauses: &["api.containers.create.077"],
        from: "1.15",
        until: "",
        check: Recorded("hostconfig/capdrop-all", |seen| {
            let output = seen.output("logs", 1)?;
            let mask = output.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap_or_default().trim();
            // The older daemons know 37 capabilities and leave those that came later.
            let known = u64::from_str_radix(mask, 16).map(|mask| mask & ((1 << 37) - 1));
            holds(known == Ok(0), || format!("CapEff is {mask}"))
        }),
    },
    prints!(
        "an ulimit holds in the container",
        &["api.containers.create.090", "ovw.v1-18.004"],
        "1.18",
        "hostconfig/ulimits",
        "512"
    ),
    Scenario {
        name: "a container without networking has no address",
        clauses: &["api.containers.create.087"],
        from: "1.15",
        until: "",
        check: Recorded("hostconfig/network-none", |seen| {
            let address = seen.at("inspect", "/NetworkSettings/IPAddress")?;
            holds(address.as_str().is_none_or(str::is_empty), || format!("it has {address}"))
        }),
    },
    Scenario {
        name: "a published port has the host port that was asked for",
        clauses: &["api.containers.create.063"],
        from: "1.15",
        until: "",
        check: Recorded("hostconfig/ports-fixed", |seen| {
            let port = seen.at("inspect", "/NetworkSettings/Ports/80~1tcp/0/HostPort")?;
            holds(port.as_str().is_some_and(|port| port.parse::<u16>().is_ok()), || format!("HostPort is {port}"))
        }),
    },
    Scenario {
        name: "every exposed port is published when all are",
        clauses: &["api.containers.create.066"],
        from: "1.15",
        until: "",
        check: Recorded("hostconfig/publish-all", |seen| {
            let port = seen.at("inspect", "/NetworkSettings/Ports/80~1tcp/0/HostPort")?;
            holds(port.as_str().is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)), || {
                format!("HostPort is {port}")
            })
        }),
    },
    config(
        "the name that create gives finds the container",
        &["api.containers.create.003"],
        "",
        "containers.create/names",
        "ok-inspect-name",
        "/Name",
    ),
    config(
        "Hostname is the container's",
        &["api.containers.create.015"],
        "1.15",
        "containers.create/hostname-ok",
        "inspect",
        "/Config/Hostname",
    ),
    config(
        "User is the container's",
        &["api.containers.create.017"],
        "1.15",
        "containers.create/user-name",
        "inspect",
        "/Config/User",
    ),
    config(
        "Env is the container's",
        &["api.containers.create.042"],
        "1.15",
        "containers.create/env-ok",
        "inspect",
        "/Config/Env",
    ),
    config(
        "Volumes are mount paths in the container",
        &["api.containers.create.049"],
        "1.15",
        "containers.create/volumes-ok",
        "inspect",
        "/Config/Volumes",
    ),
    config(
        "ExposedPorts name port and protocol",
        &["api.containers.create.052"],
        "1.15",
        "containers.create/ports-ok",
        "inspect",
        "/Config/ExposedPorts",
    ),
    config(
        "WorkingDir is the container's",
        &["api.containers.create.050"],
        "1.15",
        "containers.create/workdir-ok",
        "inspect",
        "/Config/WorkingDir",
    ),
    config(
        "Labels come back unchanged",
        &["api.containers.create.043"],
        "1.18",
        "containers.create/labels-ok",
        "inspect",
        "/Config/Labels",
    ),
    config(
        "CpusetCpus is the container's",
        &["api.containers.create.028"],
        "1.18",
        "hostconfig/cpusetcpus",
        "inspect",
        "/HostConfig/CpusetCpus",
    ),
    config(
        "CgroupParent is the container's",
        &["api.containers.create.100", "ovw.v1-18.012"],
        "1.18",
        "hostconfig/cgroup-parent",
        "inspect",
        "/HostConfig/CgroupParent",
    ),
    config(
        "SecurityOpt is the container's",
        &["api.containers.create.092"],
        "1.17",
        "hostconfig/security-label",
        "inspect",
        "/HostConfig/SecurityOpt",
    ),
    config(
        "LogConfig is the container's",
        &["api.containers.create.093", "api.containers.create.095"],
        "1.18",
        "hostconfig/log-json",
        "inspect",
        "/HostConfig/LogConfig/Type",
    ),
    config(
        "CpuPeriod is the container's",
        &["api.containers.create.029"],
        "1.19",
        "hostconfig/cpuperiod",
        "inspect",
        "/HostConfig/CpuPeriod",
    ),
    config(
        "ReadonlyRootfs is the container's",
        &["api.containers.create.068", "ovw.v1-17.009"],
        "1.17",
        "hostconfig/readonly",
        "inspect",
        "/HostConfig/ReadonlyRootfs",
    ),
    config(
        "RestartPolicy is the container's",
        &["api.containers.create.009"],
        "1.15",
        "hostconfig/restart-always",
        "inspect",
        "/HostConfig/RestartPolicy/Name",
    ),
    config(
        "NetworkMode is the container's",
        &["api.containers.create.084", "api.containers.create.085"],
        "1.15",
        "hostconfig/network-host",
        "inspect",
        "/HostConfig/NetworkMode",
    ),
];

/// What create was given is what inspect tells: the expected value is in the request of the step `create`.
const fn config(
    name: &'static str,
    clauses: &'static [&'static str],
    from: &'static str,
    scenario: &'static str,
    step: &'static str,
    pointer: &'static str,
) -> Scenario {
    let _ = (step, pointer);
    Scenario { name, clauses, from, until: "", check: Recorded(scenario, check_of(pointer)) }
}

/// A check for each pointer: the table holds functions, which cannot capture.
const fn check_of(pointer: &'static str) -> fn(&Seen<'_>) -> Shown {
    match pointer.as_bytes() {
        b"/Name" => |seen| {
            let name = seen.at("ok-inspect-name", "/Name")?;
            holds(name.as_str().is_some_and(|name| name.ends_with("good")), || format!("Name is {name}"))
        },
        b"/Config/Hostname" => |seen| told(seen, "/Config/Hostname", "/Hostname"),
        b"/Config/User" => |seen| told(seen, "/Config/User", "/User"),
        b"/Config/Env" => |seen| {
            let env = seen.at("inspect", "/Config/Env")?;
            let list = env.as_array().cloned().unwrap_or_default();
            holds(list.iter().any(|item| item == "A=2") && list.iter().any(|item| item == "PATH=/bin"), || {
                format!("Env is {env}")
            })
        },
        b"/Config/Volumes" => |seen| told(seen, "/Config/Volumes", "/Volumes"),
        b"/Config/ExposedPorts" => |seen| told(seen, "/Config/ExposedPorts", "/ExposedPorts"),
        b"/Config/WorkingDir" => |seen| told(seen, "/Config/WorkingDir", "/WorkingDir"),
        b"/Config/Labels" => |seen| told(seen, "/Config/Labels", "/Labels"),
        b"/HostConfig/CpusetCpus" => |seen| told(seen, "/HostConfig/CpusetCpus", "/HostConfig/CpusetCpus"),
        b"/HostConfig/CgroupParent" => |seen| told(seen, "/HostConfig/CgroupParent", "/HostConfig/CgroupParent"),
        b"/HostConfig/SecurityOpt" => |seen| told(seen, "/HostConfig/SecurityOpt", "/HostConfig/SecurityOpt"),
        b"/HostConfig/LogConfig/Type" => |seen| told(seen, "/HostConfig/LogConfig/Type", "/HostConfig/LogConfig/Type"),
        b"/HostConfig/CpuPeriod" => |seen| told(seen, "/HostConfig/CpuPeriod", "/HostConfig/CpuPeriod"),
        b"/HostConfig/ReadonlyRootfs" => |seen| told(seen, "/HostConfig/ReadonlyRootfs", "/HostConfig/ReadonlyRootfs"),
        b"/HostConfig/RestartPolicy/Name" => {
            |seen| told(seen, "/HostConfig/RestartPolicy/Name", "/HostConfig/RestartPolicy/Name")
        }
        _ => |seen| told(seen, "/HostConfig/NetworkMode", "/HostConfig/NetworkMode"),
    }
}

fn printed(seen: &Seen<'_>, words: &str) -> Shown {
    let output = seen.output("logs", 1)?;
    holds(output.contains(words), || format!("{words:?} is not in {output:?}"))
}

/// `inspect` tells at a pointer what the body of `create` held at another.
fn told(seen: &Seen<'_>, pointer: &str, asked: &str) -> Shown {
    let request = &seen.step("create")?.request;
    let body: serde_json::Value = serde_json::from_slice(&request.body_bytes().unwrap_or_default()).unwrap_or_default();
    let (expected, is) = (body.pointer(asked).cloned().unwrap_or_default(), seen.at("inspect", pointer)?);
    holds(is == expected, || format!("{pointer} is {is}, and create was given {expected}"))
}
