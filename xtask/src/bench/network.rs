//! Published ports.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

use super::{
    Group, Unit, Work,
    containers::{create, only_running, remove_all, start},
    images::drain,
    target::Target,
};

/// Bytes of one transfer.
const BYTES: u64 = 1_000_000_000;
/// The host's port.
const PUBLISHED: u16 = 8080;

pub(super) fn works() -> Vec<Work> {
    let work = |name, goal, run| Work {
        group: Group::Lifecycle,
        name,
        unit: Unit::Rate,
        goal,
        rounds: 5,
        prepare: server,
        run,
        clear: remove_all,
        floor: None,
    };
    vec![
        work("the container's own address", "–", |target| transfer(target, |own, _| (own, 80).into())),
        work("port by the host's address", "≥ 0.9 × the container's own address", |target| {
            transfer(target, |_, host| (host, PUBLISHED).into())
        }),
        work("port by loopback", "≥ 1200 MB/s", |target| {
            transfer(target, |_, _| (Ipv4Addr::LOCALHOST, PUBLISHED).into())
        }),
    ]
}

/// A container that sends to whoever connects.
fn server(target: &mut Target) -> Result<()> {
    let mut connection = target.connect()?;
    let command = ["nc", "-ll", "-p", "80", "-e", "emit", "-c", &BYTES.to_string()];
    let bindings = json!({"80/tcp": [{"HostIp": "", "HostPort": PUBLISHED.to_string()}]});
    let id = create(
        &mut connection,
        &json!({
            "Image": "busybox",
            "Cmd": command,
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": bindings},
        }),
    )?;
    start(&mut connection, &id)
}

/// Reads all that the server sends to an address, chosen from the container's own and the bridge's.
fn transfer(target: &mut Target, choose: fn(IpAddr, IpAddr) -> SocketAddr) -> Result<f64> {
    let mut connection = target.connect()?;
    let id = only_running(&mut connection)?;
    let container: Value =
        serde_json::from_slice(&connection.call("GET", &format!("/v1.19/containers/{id}/json"), None)?)?;
    let address = |field: &str| -> Result<IpAddr> {
        let text = container["NetworkSettings"][field].as_str().with_context(|| format!("no {field}"))?;
        text.parse().with_context(|| format!("{field} {text}"))
    };
    let address = choose(address("IPAddress")?, address("Gateway")?);
    let namespace = target.network_namespace()?;
    let client = thread::spawn(move || {
        // This thread alone moves, and ends there.
        setns(namespace, CloneFlags::CLONE_NEWNET).context("entering the daemon's network")?;
        receive(address)
    });
    client.join().expect("a client does not panic")
}

fn receive(address: SocketAddr) -> Result<f64> {
    let until = Instant::now() + Duration::from_secs(5);
    let stream = loop {
        match TcpStream::connect(address) {
            Err(_) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
            connected => break connected.with_context(|| format!("connecting to {address}"))?,
        }
    };
    let began = Instant::now();
    match drain(stream)? {
        total if total == BYTES => Ok(total as f64 / 1e6 / began.elapsed().as_secs_f64()),
        total => bail!("{total} of {BYTES} bytes arrived"),
    }
}
