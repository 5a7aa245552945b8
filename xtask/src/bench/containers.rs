//! Lives of containers.

use std::{thread, time::Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Group, Unit, Work, floor, http::Connection, nothing, target::Target};

pub(super) fn works() -> Vec<Work> {
    let work = |name, unit, goal, rounds, run| Work {
        group: Group::Lifecycle,
        name,
        unit,
        goal,
        rounds,
        prepare: nothing,
        run,
        clear: remove_all,
        floor: None,
    };
    vec![
        Work {
            floor: Some(floor::life),
            ..work("create, start, wait, delete of `true`", Unit::Millis, "≤ 0.05 × dockerd", 20, |target| {
                lives(target, 5)
            })
        },
        work("32 lives by 8 clients", Unit::PerSecond, "≥ 8 × dockerd, none fails", 3, |target| {
            lives_at_once(target, 8, 4)
        }),
        Work {
            prepare: |target| many(target, 1_000),
            ..work("list of 1,000, all", Unit::Millis, "≤ 0.1 × dockerd", 10, |target| list(target, "1"))
        },
        Work {
            prepare: |target| many(target, 1_000),
            ..work("list of 1,000, none running", Unit::Millis, "≤ 0.1 × dockerd", 10, |target| list(target, "0"))
        },
        work("memory per running container", Unit::Megabytes, "≤ 0.5 MB", 1, memory_each),
        Work {
            prepare: |target| {
                many(target, 200)?;
                running(target, 20)
            },
            ..work("restart with 220 containers", Unit::Millis, "≤ 100 ms, the 20 still run", 3, restart)
        },
    ]
}

/// Creates a container and gives its id.
pub(super) fn create(connection: &mut Connection, config: &Value) -> Result<String> {
    let answer = connection.call("POST", "/v1.19/containers/create", Some(config.to_string().as_bytes()))?;
    let answer: Value = serde_json::from_slice(&answer).context("the answer to create")?;
    Ok(answer["Id"].as_str().context("create answered no Id")?.to_owned())
}

pub(super) fn start(connection: &mut Connection, id: &str) -> Result<()> {
    connection.call("POST", &format!("/v1.19/containers/{id}/start"), None).map(drop)
}

pub(super) fn remove(connection: &mut Connection, id: &str) -> Result<()> {
    connection.call("DELETE", &format!("/v1.19/containers/{id}?force=1&v=1"), None).map(drop)
}

/// Removes every container of the target.
pub(super) fn remove_all(target: &mut Target) -> Result<()> {
    let mut connection = target.connect()?;
    let list: Vec<Value> = serde_json::from_slice(&connection.call("GET", "/v1.19/containers/json?all=1", None)?)?;
    list.iter().filter_map(|container| container["Id"].as_str()).try_for_each(|id| remove(&mut connection, id))
}

/// The one container that runs.
pub(super) fn only_running(connection: &mut Connection) -> Result<String> {
    let list: Vec<Value> = serde_json::from_slice(&connection.call("GET", "/v1.19/containers/json", None)?)?;
    Ok(list.first().and_then(|container| container["Id"].as_str()).context("no container runs")?.to_owned())
}

fn life(connection: &mut Connection) -> Result<()> {
    let id = create(connection, &json!({"Image": "busybox", "Cmd": ["true"]}))?;
    start(connection, &id)?;
    let code = connection.call("POST", &format!("/v1.19/containers/{id}/wait"), None)?;
    if serde_json::from_slice::<Value>(&code)?["StatusCode"] != 0 {
        bail!("`true` ended with {}", String::from_utf8_lossy(&code));
    }
    remove(connection, &id)
}

fn lives(target: &mut Target, count: u32) -> Result<f64> {
    let mut connection = target.connect()?;
    let began = Instant::now();
    (0..count).try_for_each(|_| life(&mut connection))?;
    Ok(began.elapsed().as_secs_f64() * 1e3 / f64::from(count))
}

fn lives_at_once(target: &mut Target, clients: usize, each: usize) -> Result<f64> {
    let connections = (0..clients).map(|_| target.connect()).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> = connections
            .into_iter()
            .map(|mut connection| scope.spawn(move || (0..each).try_for_each(|_| life(&mut connection))))
            .collect();
        clients.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    Ok((clients * each) as f64 / began.elapsed().as_secs_f64())
}

fn many(target: &mut Target, count: usize) -> Result<()> {
    let mut connection = target.connect()?;
    (0..count).try_for_each(|_| create(&mut connection, &json!({"Image": "busybox", "Cmd": ["true"]})).map(drop))
}

fn running(target: &mut Target, count: usize) -> Result<()> {
    let mut connection = target.connect()?;
    for _ in 0..count {
        let id = create(
            &mut connection,
            &json!({"Image": "busybox", "Cmd": ["sleep", "3600"], "HostConfig": {"RestartPolicy": {"Name": "always"}}}),
        )?;
        start(&mut connection, &id)?;
    }
    Ok(())
}

fn list(target: &mut Target, all: &str) -> Result<f64> {
    let mut connection = target.connect()?;
    let began = Instant::now();
    connection.call("GET", &format!("/v1.19/containers/json?all={all}"), None)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn memory_each(target: &mut Target) -> Result<f64> {
    const COUNT: usize = 20;
    let before = target.memory().context("only a daemon that the bench started has a known memory")?;
    running(target, COUNT)?;
    let after = target.memory().context("the daemon's cgroup is gone")?;
    Ok(after.saturating_sub(before) as f64 / COUNT as f64 / 1e6)
}

fn restart(target: &mut Target) -> Result<f64> {
    let time = target.restart()?;
    let running: Vec<Value> =
        serde_json::from_slice(&target.connect()?.call("GET", "/v1.19/containers/json", None)?)?;
    if running.len() != 20 {
        bail!("{} of 20 containers run after the restart", running.len());
    }
    Ok(time.as_secs_f64() * 1e3)
}
