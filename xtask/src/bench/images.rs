//! Loading, saving, listing and deleting images.

use std::{
    io::{self, Read},
    time::Instant,
};

use anyhow::{Result, bail};
use serde_json::json;

use super::{Group, Unit, Work, floor, nothing, target::Target};

/// Bytes of the large image, over all of its layers.
pub(super) const LARGE: usize = 200_000_000;

pub(super) fn works() -> Vec<Work> {
    let work = |name, unit, goal, rounds, run| Work {
        group: Group::Images,
        name,
        unit,
        goal,
        rounds,
        prepare: nothing,
        run,
        clear: nothing,
        floor: None,
    };
    vec![
        Work {
            floor: Some(|| floor::extract(1)),
            ..work("load 200 MB, 1 layer", Unit::Millis, "≤ 1.3 × floor", 3, |target| load(target, 1))
        },
        Work {
            floor: Some(|| floor::extract(20)),
            ..work("load 200 MB, 20 layers", Unit::Millis, "≤ 1.3 × floor", 3, |target| load(target, 20))
        },
        Work {
            prepare: |target| loaded(target, 1),
            clear: |target| delete(target, "large"),
            floor: Some(|| floor::archive(1)),
            ..work("save 200 MB, 1 layer", Unit::Millis, "≤ 1.3 × floor", 3, save)
        },
        Work {
            prepare: |target| loaded(target, 20),
            clear: |target| delete(target, "large"),
            floor: Some(|| floor::archive(20)),
            ..work("save 200 MB, 20 layers", Unit::Millis, "≤ 1.3 × floor", 3, save)
        },
        Work {
            prepare: |target| tags(target, 1_000),
            clear: |target| untag(target, 1_000),
            ..work("list of 1,000 images", Unit::Millis, "≤ 0.5 × dockerd", 10, list)
        },
        Work {
            floor: Some(floor::remove_tree),
            ..work("delete of 10,000 files", Unit::Millis, "≤ `rm -rf`", 3, delete_files)
        },
    ]
}

fn upload(target: &mut Target, archive: &[u8]) -> Result<()> {
    target.connect()?.call_into("POST", "/v1.19/images/load", "application/x-tar", Some(archive), &mut io::sink())?;
    Ok(())
}

/// An archive of a layered image: `layers` layers of `files` files each, `bytes` in all, other bytes in every file.
pub(super) fn image_archive(name: &str, layers: usize, files: usize, bytes: usize) -> Result<Vec<u8>> {
    let mut outer = tar::Builder::new(Vec::with_capacity(bytes + bytes / 50));
    let mut parent: Option<String> = None;
    for layer in 0..layers {
        let id = format!("{:064x}", (layers * 1_000_000 + files * 1_000 + layer + 1) as u128 * 0x9e37_79b9_7f4a_7c15);
        let mut config = json!({"id": id, "created": "2015-01-01T00:00:00Z", "architecture": "amd64", "os": "linux", "Size": bytes / layers});
        if let Some(parent) = &parent {
            config["parent"] = json!(parent);
        }
        entry(&mut outer, &format!("{id}/VERSION"), b"1.0")?;
        entry(&mut outer, &format!("{id}/json"), config.to_string().as_bytes())?;
        entry(&mut outer, &format!("{id}/layer.tar"), &layer_archive(layer, files, bytes / layers)?)?;
        parent = Some(id);
    }
    entry(&mut outer, "repositories", json!({name: {"latest": parent}}).to_string().as_bytes())?;
    Ok(outer.into_inner()?)
}

/// One layer: a folder of files whose bytes do not repeat.
pub(super) fn layer_archive(layer: usize, files: usize, bytes: usize) -> Result<Vec<u8>> {
    let mut inner = tar::Builder::new(Vec::with_capacity(bytes + files * 1024));
    let mut state = layer as u64 + 1;
    let each = bytes / files;
    for file in 0..files {
        let content: Vec<u8> = (0..each.div_ceil(8))
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .take(each)
            .collect();
        entry(&mut inner, &format!("data{layer}/{file}"), &content)?;
    }
    Ok(inner.into_inner()?)
}

fn entry(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1_420_070_400);
    Ok(archive.append_data(&mut header, name, content)?)
}

fn loaded(target: &mut Target, layers: usize) -> Result<()> {
    upload(target, &image_archive("large", layers, 20, LARGE)?)
}

fn load(target: &mut Target, layers: usize) -> Result<f64> {
    let archive = image_archive("large", layers, 20, LARGE)?;
    let began = Instant::now();
    upload(target, &archive)?;
    let time = began.elapsed();
    delete(target, "large")?;
    Ok(time.as_secs_f64() * 1e3)
}

fn save(target: &mut Target) -> Result<f64> {
    let began = Instant::now();
    let bytes = target.connect()?.call_into("GET", "/v1.19/images/large/get", "", None, &mut io::sink())?;
    if bytes < LARGE as u64 {
        bail!("the archive has {bytes} bytes");
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn delete(target: &mut Target, name: &str) -> Result<()> {
    target.connect()?.call("DELETE", &format!("/v1.19/images/{name}?force=1"), None).map(drop)
}

fn tags(target: &mut Target, count: usize) -> Result<()> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut repositories = serde_json::Map::new();
    let layer = layer_archive(0, 1, 100)?;
    for index in 0..count {
        let id = format!("{index:064x}");
        let config = json!({"id": id, "created": "2015-01-01T00:00:00Z", "architecture": "amd64", "os": "linux"});
        entry(&mut archive, &format!("{id}/VERSION"), b"1.0")?;
        entry(&mut archive, &format!("{id}/json"), config.to_string().as_bytes())?;
        entry(&mut archive, &format!("{id}/layer.tar"), &layer)?;
        repositories.insert(format!("many{index}"), json!({"latest": id}));
    }
    entry(&mut archive, "repositories", serde_json::Value::from(repositories).to_string().as_bytes())?;
    upload(target, &archive.into_inner()?)
}

fn untag(target: &mut Target, count: usize) -> Result<()> {
    (0..count).try_for_each(|index| delete(target, &format!("many{index}")))
}

fn list(target: &mut Target) -> Result<f64> {
    let mut connection = target.connect()?;
    let began = Instant::now();
    connection.call("GET", "/v1.19/images/json", None)?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

fn delete_files(target: &mut Target) -> Result<f64> {
    upload(target, &image_archive("files", 1, 10_000, 10_000_000)?)?;
    let began = Instant::now();
    delete(target, "files")?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Reads a stream to its end and gives the number of bytes.
pub(super) fn drain(mut from: impl Read) -> Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut total = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(total),
            read => total += read as u64,
        }
    }
}
