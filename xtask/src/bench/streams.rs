//! Exec, attach, logs and events.

use std::{
    io::{BufRead, Read},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    Group, Unit, Work,
    containers::{create, only_running, remove, remove_all, start},
    floor,
    http::Connection,
    images::drain,
    nothing,
    target::Target,
};

/// Bytes that a container writes for the bulk workloads.
pub(super) const BULK: usize = 200_000_000;
/// Bytes sent to and fro in one round of ping-pong.
pub(super) const PINGS: usize = 500;

pub(super) fn works() -> Vec<Work> {
    let work = |name, unit, goal, rounds, run| Work {
        group: Group::Streams,
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
            prepare: sleeper,
            ..work("exec: create, start attached, read, inspect", Unit::Millis, "≤ 0.08 × dockerd", 20, exec)
        },
        Work {
            floor: Some(floor::pipe),
            ..work("attach, 200 MB, log driver none", Unit::Rate, "≥ 3 × dockerd or ≥ 0.5 × floor", 3, attach_bulk)
        },
        work("200 MB through json-file, written", Unit::Rate, "≥ 5 × dockerd", 2, |target| logged(target, false)),
        work("200 MB through json-file, read back", Unit::Rate, "≥ 18 × dockerd, every byte back", 2, |target| {
            logged(target, true)
        }),
        Work {
            floor: Some(floor::ping_pong),
            ..work("stdin ping-pong, median", Unit::Millis, "≤ 0.75 × dockerd", 5, |target| ping_pong(target, 50))
        },
        work("stdin ping-pong, p99", Unit::Millis, "≤ 0.5 × dockerd", 5, |target| ping_pong(target, 99)),
        work("events, 100 listeners × 200", Unit::Millis, "all of them, ≤ 100 ms cpu", 3, events),
        Work {
            prepare: sleeper,
            ..work("memory per attached client", Unit::Megabytes, "≤ 0.128 MB", 1, attached_memory)
        },
    ]
}

fn sleeper(target: &mut Target) -> Result<()> {
    let mut connection = target.connect()?;
    let id = create(&mut connection, &json!({"Image": "busybox", "Cmd": ["sleep", "3600"]}))?;
    start(&mut connection, &id)
}

fn exec(target: &mut Target) -> Result<f64> {
    let mut connection = target.connect()?;
    let id = only_running(&mut connection)?;
    let began = Instant::now();
    let body = json!({"Cmd": ["true"], "AttachStdout": true, "AttachStderr": true}).to_string();
    let answer: Value = serde_json::from_slice(&connection.call(
        "POST",
        &format!("/v1.19/containers/{id}/exec"),
        Some(body.as_bytes()),
    )?)?;
    let exec = answer["Id"].as_str().context("exec create answered no Id")?.to_owned();
    drain(target.connect()?.hijack(
        "POST",
        &format!("/v1.19/exec/{exec}/start"),
        Some(b"{\"Detach\":false,\"Tty\":false}"),
    )?)?;
    let state: Value = serde_json::from_slice(&connection.call("GET", &format!("/v1.19/exec/{exec}/json"), None)?)?;
    if state["ExitCode"] != 0 || state["Running"] != false {
        bail!("the exec ended as {state}");
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// A program that writes [`BULK`] bytes of lines of 100 bytes.
fn writer(log: &str) -> Value {
    let line = "x".repeat(99);
    let command = format!("yes {line} | head -c {BULK}");
    json!({"Image": "busybox", "Cmd": ["sh", "-c", command], "AttachStdout": true, "HostConfig": {"LogConfig": {"Type": log, "Config": {}}}})
}

fn attach_bulk(target: &mut Target) -> Result<f64> {
    let mut connection = target.connect()?;
    let id = create(&mut connection, &writer("none"))?;
    let stream = target.connect()?.hijack("POST", &format!("/v1.19/containers/{id}/attach?stream=1&stdout=1"), None)?;
    let began = Instant::now();
    start(&mut connection, &id)?;
    let total = payload(stream)?;
    let time = began.elapsed();
    remove(&mut connection, &id)?;
    rate(total, time)
}

fn logged(target: &mut Target, read: bool) -> Result<f64> {
    let mut connection = target.connect()?;
    let id = create(&mut connection, &writer("json-file"))?;
    let began = Instant::now();
    start(&mut connection, &id)?;
    connection.call("POST", &format!("/v1.19/containers/{id}/wait"), None)?;
    let written = began.elapsed();
    let began = Instant::now();
    let figure = if read {
        let mut frames = Frames::default();
        target.connect()?.call_into("GET", &format!("/v1.19/containers/{id}/logs?stdout=1"), "", None, &mut frames)?;
        rate(frames.payload, began.elapsed())
    } else {
        rate(BULK as u64, written)
    };
    remove(&mut connection, &id)?;
    figure
}

/// Megabytes a second; an error when bytes are missing.
fn rate(total: u64, time: Duration) -> Result<f64> {
    if total != BULK as u64 {
        bail!("{total} of {BULK} bytes arrived");
    }
    Ok(total as f64 / 1e6 / time.as_secs_f64())
}

/// Counts the payload of frames, however they are cut.
#[derive(Default)]
struct Frames {
    header: Vec<u8>,
    left: usize,
    payload: u64,
}

impl std::io::Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.left == 0 {
                let take = rest.len().min(8 - self.header.len());
                self.header.extend_from_slice(&rest[..take]);
                rest = &rest[take..];
                if let [_, _, _, _, a, b, c, d] = self.header[..] {
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.header.clear();
                }
            } else {
                let take = rest.len().min(self.left);
                self.left -= take;
                self.payload += take as u64;
                rest = &rest[take..];
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn payload(mut stream: Connection) -> Result<u64> {
    let mut frames = Frames::default();
    std::io::copy(&mut stream, &mut frames)?;
    Ok(frames.payload)
}

fn ping_pong(target: &mut Target, percentile: usize) -> Result<f64> {
    let mut connection = target.connect()?;
    let id = create(
        &mut connection,
        &json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": true, "HostConfig": {"LogConfig": {"Type": "none", "Config": {}}}}),
    )?;
    let mut stream =
        target.connect()?.hijack("POST", &format!("/v1.19/containers/{id}/attach?stream=1&stdin=1&stdout=1"), None)?;
    start(&mut connection, &id)?;
    let mut times = Vec::with_capacity(PINGS);
    let mut frame = [0; 9];
    for _ in 0..PINGS {
        let began = Instant::now();
        stream.write_all(b"x")?;
        stream.read_exact(&mut frame)?;
        times.push(began.elapsed());
    }
    stream.half_close()?;
    remove(&mut connection, &id)?;
    times.sort();
    Ok(times[(PINGS * percentile / 100).min(PINGS - 1)].as_secs_f64() * 1e3)
}

/// 100 listeners, 200 events: the time until the last listener has them all.
fn events(target: &mut Target) -> Result<f64> {
    const LISTENERS: usize = 100;
    const EVENTS: usize = 200;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let mut connection = target.connect()?;
        connection.open("GET", "/v1.18/events")?;
        listeners.push(connection);
    }
    let began = Instant::now();
    thread::scope(|scope| {
        let readers: Vec<_> =
            listeners.into_iter().map(|listener| scope.spawn(move || read_events(listener, EVENTS))).collect();
        let mut connection = target.connect()?;
        for _ in 0..EVENTS / 2 {
            let id = create(&mut connection, &json!({"Image": "busybox", "Cmd": ["true"]}))?;
            remove(&mut connection, &id)?;
        }
        readers.into_iter().try_for_each(|reader| reader.join().expect("a listener does not panic"))
    })?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn read_events(mut listener: Connection, count: usize) -> Result<()> {
    let mut seen = 0;
    let mut line = Vec::new();
    while seen < count {
        line.clear();
        if listener.read_until(b'}', &mut line)? == 0 {
            bail!("a listener got {seen} of {count} events");
        }
        seen += usize::from(line.ends_with(b"}"));
    }
    Ok(())
}

fn attached_memory(target: &mut Target) -> Result<f64> {
    const CLIENTS: usize = 100;
    let id = only_running(&mut target.connect()?)?;
    let before = target.memory().context("only a daemon that the bench started has a known memory")?;
    let path = format!("/v1.19/containers/{id}/attach?stream=1&stdout=1");
    let clients = (0..CLIENTS).map(|_| target.connect()?.hijack("POST", &path, None)).collect::<Result<Vec<_>>>()?;
    thread::sleep(Duration::from_millis(200));
    let after = target.memory().context("the daemon's cgroup is gone")?;
    drop(clients);
    Ok(after.saturating_sub(before) as f64 / CLIENTS as f64 / 1e6)
}
