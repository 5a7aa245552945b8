//! Archives and stores for tests.
#![allow(dead_code)]

use drydock_core::Id;
use drydock_layers::tar::{Entry, Kind, Reader, Time, Writer};
use drydock_layers::{Chain, DriverKind, Layer, LayerId, Layers};
use std::io::Read;
use std::path::Path;

pub(crate) fn id(number: u8) -> Id {
    Id::from_bytes([number; 32])
}

pub(crate) fn file(path: &str, content: &str) -> (Entry, Vec<u8>) {
    let entry = Entry { mode: 0o644, size: content.len() as u64, ..Entry::new(path, Kind::File) };
    (Entry { modified: Time { seconds: 1_420_070_400, nanos: 0 }, ..entry }, content.into())
}

pub(crate) fn other(path: &str, kind: Kind) -> (Entry, Vec<u8>) {
    (Entry { modified: Time { seconds: 1_420_070_400, nanos: 0 }, ..Entry::new(path, kind) }, Vec::new())
}

pub(crate) fn directory(path: &str) -> (Entry, Vec<u8>) {
    other(path, Kind::Directory)
}

pub(crate) fn archive(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in entries {
        writer.entry(entry).unwrap();
        writer.content(content).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn entries(archive: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let mut reader = Reader::new(archive);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).unwrap();
        entries.push((entry, content));
    }
    entries
}

pub(crate) fn paths(archive: &[u8]) -> Vec<String> {
    entries(archive).into_iter().map(|(entry, _)| String::from_utf8(entry.path).unwrap()).collect()
}

pub(crate) fn keep(layers: &Layers, number: u8, archive: &[u8], lower: &Chain) -> Layer {
    let unpacked = layers.unpack(archive).unwrap();
    layers.keep(unpacked, LayerId(id(number)), lower).unwrap()
}

/// A chain of layers with these archives, the lowest first.
pub(crate) fn chain(layers: &Layers, archives: &[Vec<u8>]) -> Chain {
    let mut chain = Chain::default();
    for (number, archive) in archives.iter().enumerate() {
        let layer = keep(layers, u8::try_from(number).unwrap() + 1, archive, &chain);
        chain.push(layer);
    }
    chain
}

/// Why this machine cannot run the suite of a driver.
pub(crate) fn lacks(driver: DriverKind, root: &Path) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("unpacking owners and devices needs root".into());
    }
    Layers::open(root, Some(driver))
        .err()
        .map(|error| format!("{error}: {}", std::error::Error::source(&error).unwrap()))
}
