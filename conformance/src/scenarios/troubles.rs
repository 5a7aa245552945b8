//! Troubles that users of these versions had: what a daemon has to do right where genuine ones did not always.

use std::{net::TcpListener, time::Duration};

use serde_json::json;

use super::{Check::Live, Scenario, Stage, Wrong, holds};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a name that begins another container's id means the container of that name",
        clauses: &[],
        from: "1.18",
        until: "",
        check: Live(|stage| {
            let (first, second) = name_like_an_id(stage)?;
            let found = id_of(stage, &first[..12])?;
            holds(found == second, || format!("{} finds {found}, not {second}", &first[..12]))
        }),
    },
    Scenario {
        name: "a name that begins another container's id means that container",
        clauses: &[],
        from: "",
        until: "1.18",
        check: Live(|stage| {
            let (first, _) = name_like_an_id(stage)?;
            let found = id_of(stage, &first[..12])?;
            holds(found == first, || format!("{} finds {found}, not {first}", &first[..12]))
        }),
    },
    Scenario {
        name: "stats of a container that does not run are answered at once",
        clauses: &[],
        from: "1.19",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("stats", "true")?;
            let request = stage.request("GET", &format!("/containers/{container}/stats?stream=0"));
            let exchange = stage.send_within(request, Duration::from_secs(3));
            let objects = exchange.answer.as_ref().ok().and_then(|response| response.json_lines());
            holds(objects.as_ref().is_some_and(|objects| objects.len() == 1), || format!("{objects:?} came"))
        }),
    },
    Scenario {
        name: "stats end when their container is removed",
        clauses: &[],
        from: "1.17",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("stats-gone", "sleep 1000")?;
            stage.start(&container)?;
            let request = stage.request("GET", &format!("/containers/{container}/stats"));
            let mut stream = stage.open(request, Duration::from_secs(12));
            let came = stream.await_body(|body| body.contains(&b'\n') || body.len() > 100);
            holds(came, || "no figures came".to_owned())?;
            stage.expect(stage.request("DELETE", &format!("/containers/{container}?force=1")), 204)?;
            stream.allow(Duration::from_secs(5));
            let exchange = stream.finish();
            stage.note(&exchange);
            let ended = exchange.answer.as_ref().is_ok_and(|response| !response.left_early());
            holds(ended, || "they go on".to_owned())
        }),
    },
    Scenario {
        name: "copy gives the resolv.conf, hosts and hostname that the container sees",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("copy-etc", "sleep 1000")?;
            stage.start(&container)?;
            for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"] {
                let request =
                    stage.request("POST", &format!("/containers/{container}/copy")).json(&json!({"Resource": file}));
                let response = stage.expect(request, 200)?;
                let archive = response.archive().map_err(|error| Wrong::Not(format!("{file}: {error}")))?;
                let size = archive.entries.first().map(|entry| entry.size);
                holds(size.is_some_and(|size| size > 0), || format!("{file} has {size:?} bytes"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "volumes go with their last user and not before",
        clauses: &["api.containers.remove.003"],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let data = stage.create(
                "data",
                json!({"Image": "busybox", "Cmd": ["sh", "-c", "echo kept > /v/f"], "Volumes": {"/v": {}}}),
            )?;
            stage.start(&data)?;
            stage.wait(&data)?;
            let host = json!({"VolumesFrom": [data]});
            let user =
                stage.create("data-user", json!({"Image": "busybox", "Cmd": ["cat", "/v/f"], "HostConfig": host}))?;
            stage.start(&user)?;
            stage.wait(&user)?;
            stage.expect(stage.request("DELETE", &format!("/containers/{data}?v=1")), 204)?;
            stage.start(&user)?;
            stage.wait(&user)?;
            let log = String::from_utf8_lossy(&stage.log(&user, 1)?).into_owned();
            holds(log == "kept\nkept\n", || format!("it read {log:?}"))
        }),
    },
    Scenario {
        name: "a start that fails gives its ports back",
        clauses: &[],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let port = free_port().to_string();
            let bound = json!({"PortBindings": {"80/tcp": [{"HostPort": port}]}});
            let broken = json!({"Image": "busybox", "Cmd": ["/no/such/program"], "ExposedPorts": {"80/tcp": {}}, "HostConfig": bound});
            let broken = stage.create("port-broken", broken)?;
            let failed = stage.send(stage.request("POST", &format!("/containers/{broken}/start")));
            holds(failed.status() != Some(204), || "a command that does not exist was started".to_owned())?;
            let right = json!({"Image": "busybox", "Cmd": ["sleep", "1000"], "ExposedPorts": {"80/tcp": {}}, "HostConfig": bound});
            let first = stage.create("port-first", right.clone())?;
            stage.expect(stage.request("POST", &format!("/containers/{first}/start")), 204)?;
            stage.expect(stage.request("POST", &format!("/containers/{first}/kill")), 204)?;
            let second = stage.create("port-second", right)?;
            stage.expect(stage.request("POST", &format!("/containers/{second}/start")), 204).map(|_| ())
        }),
    },
    Scenario {
        name: "a link is found again after the linked container has another address",
        clauses: &[],
        from: "1.17",
        until: "",
        check: Live(|stage| {
            let target = stage.shell("link-target", "sleep 1000")?;
            stage.start(&target)?;
            let host = json!({"Links": [format!("{target}:other")]});
            let linking =
                stage.create("linking", json!({"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": host}))?;
            stage.start(&linking)?;
            stage.set_up(stage.request("POST", &format!("/containers/{target}/stop?t=0")), &[204])?;
            let between = stage.shell("link-between", "sleep 1000")?;
            stage.start(&between)?;
            stage.start(&target)?;
            let address = stage.inspect(&target, "/NetworkSettings/IPAddress")?;
            let address = address.as_str().filter(|address| !address.is_empty()).map(str::to_owned);
            let address = address.ok_or_else(|| Wrong::SetUp("the linked container has no address".to_owned()))?;
            let copy =
                stage.request("POST", &format!("/containers/{linking}/copy")).json(&json!({"Resource": "/etc/hosts"}));
            let response = stage.expect(copy, 200)?;
            let archive = response.archive().map_err(|error| Wrong::Not(error.to_string()))?;
            let hosts = archive.entries.first().and_then(|entry| entry.text.clone()).unwrap_or_default();
            let lines: Vec<&str> =
                hosts.lines().filter(|line| line.split_whitespace().any(|word| word == "other")).collect();
            holds(lines.len() == 1 && lines[0].starts_with(&address), || {
                format!("it is at {address}, and hosts says {lines:?}")
            })
        }),
    },
];

/// Two containers, the second named by the first twelve digits of the first's id; gives both ids.
fn name_like_an_id(stage: &mut Stage<'_>) -> Result<(String, String), Wrong> {
    let first = stage.shell("id-first", "true")?;
    let first = id_of(stage, &first)?;
    let second = stage.create_as(&first[..12], json!({"Image": "busybox", "Cmd": ["true"]}))?;
    Ok((first, second))
}

fn id_of(stage: &Stage<'_>, reference: &str) -> Result<String, Wrong> {
    let id = stage.inspect(reference, "/Id")?;
    id.as_str()
        .filter(|id| id.len() == 64)
        .map(str::to_owned)
        .ok_or_else(|| Wrong::SetUp(format!("{reference} has the id {id}")))
}

/// A port that nothing listens on just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_or(38_471, |address| address.port())
}
