//! What a container wrote: changes, and copying it out.

use std::{fs, time::Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    Group, Unit, Work,
    containers::{create, remove_all, start},
    floor::{self, Folder},
    target::Target,
};

/// How many files the container makes.
const FILES: usize = 10_000;

pub(super) fn works() -> Vec<Work> {
    let work = |name, goal, floor, run| Work {
        group: Group::Lifecycle,
        name,
        unit: Unit::Millis,
        goal,
        rounds: 5,
        prepare: write_files,
        run,
        clear: remove_all,
        floor: Some(floor),
    };
    vec![
        work("changes of 10,000 new files", "≤ 4 × floor", walk, changes),
        work("copy of 10,000 files", "≤ 2 × floor", archive, copy),
    ]
}

/// A container that made the files and ended.
fn write_files(target: &mut Target) -> Result<()> {
    let mut connection = target.connect()?;
    let script = format!("mkdir /made; cd /made; seq {FILES} | xargs touch");
    let id = create(&mut connection, &json!({"Image": "busybox", "Cmd": ["sh", "-c", script]}))?;
    start(&mut connection, &id)?;
    let code = connection.call("POST", &format!("/v1.19/containers/{id}/wait"), None)?;
    if serde_json::from_slice::<Value>(&code)?["StatusCode"] != 0 {
        bail!("the files were not made: {}", String::from_utf8_lossy(&code));
    }
    Ok(())
}

/// The one container.
fn only(target: &Target) -> Result<String> {
    let list: Vec<Value> =
        serde_json::from_slice(&target.connect()?.call("GET", "/v1.19/containers/json?all=1", None)?)?;
    Ok(list.first().and_then(|container| container["Id"].as_str()).context("no container is there")?.to_owned())
}

fn changes(target: &mut Target) -> Result<f64> {
    let path = format!("/v1.19/containers/{}/changes", only(target)?);
    let mut connection = target.connect()?;
    let began = Instant::now();
    let answer = connection.call("GET", &path, None)?;
    let time = began.elapsed();
    match serde_json::from_slice::<Vec<Value>>(&answer)?.len() {
        count if count > FILES => Ok(time.as_secs_f64() * 1e3),
        count => bail!("{count} changes"),
    }
}

fn copy(target: &mut Target) -> Result<f64> {
    let path = format!("/v1.19/containers/{}/copy", only(target)?);
    let mut connection = target.connect()?;
    let mut total = Vec::new();
    let began = Instant::now();
    connection.call_into("POST", &path, "application/json", Some(br#"{"Resource": "/made"}"#), &mut total)?;
    let time = began.elapsed();
    match total.len() {
        bytes if bytes > FILES * 512 => Ok(time.as_secs_f64() * 1e3),
        bytes => bail!("an archive of {bytes} bytes"),
    }
}

/// The same files on the disk of the data roots.
fn made() -> Result<Folder> {
    let folder = Folder::new("made")?;
    (0..FILES).try_for_each(|number| fs::File::create(folder.path().join(number.to_string())).map(drop))?;
    Ok(folder)
}

/// Looks at every file.
fn walk() -> Result<f64> {
    let folder = made()?;
    let began = Instant::now();
    for entry in fs::read_dir(folder.path())? {
        entry?.metadata()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// `tar -c`.
fn archive() -> Result<f64> {
    floor::tar(made()?.path())
}
