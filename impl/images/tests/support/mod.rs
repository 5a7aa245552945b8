//! Stores and archives for tests. Archives are made by the `tar` crate: what reads them is not what wrote them.
#![allow(dead_code)]

use drydock_core::{Id, TagRules};
use drydock_images::{Delete, DeletePolicy, Images, TagPolicy};
use drydock_layers::{DriverKind, Layers};
use serde_json::{Value, json};
use std::path::Path;

/// Why this machine cannot run the tests.
pub(crate) fn lacks() -> Option<&'static str> {
    (!rustix::process::geteuid().is_root()).then_some("unpacking owners needs root")
}

/// Runs a test in a fresh data root, if the machine can.
#[macro_export]
macro_rules! in_root {
    ($root:ident) => {
        if let Some(reason) = support::lacks() {
            eprintln!("SKIPPED: {reason}");
            return;
        }
        let $root = tempfile::tempdir().unwrap();
        let $root = $root.path();
    };
}

pub(crate) fn open(root: &Path) -> Images {
    let layers = Layers::open(root, Some(DriverKind::Vfs)).unwrap();
    let images = Images::open(root, layers).unwrap();
    images.layers().sweep(&[]).unwrap();
    images
}

pub(crate) fn id(number: u8) -> Id {
    Id::from_bytes([number; 32])
}

pub(crate) struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_420_070_400);
        self.0.append_data(&mut header, path, content).unwrap();
        self
    }

    pub(crate) fn symlink(mut self, path: &str, target: &str) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        self.0.append_link(&mut header, path, target).unwrap();
        self
    }

    /// An image in the documented form.
    pub(crate) fn image(self, id: Id, parent: Option<Id>, layer: &[u8]) -> Self {
        let seconds = u32::from(id.as_bytes()[0]) % 60;
        let mut file = json!({"id": id, "created": format!("2015-01-01T00:00:{seconds:02}Z"),
            "container_config": {"Cmd": ["/bin/sh", "-c", "#(nop)"], "Labels": {"number": id.as_bytes()[0].to_string()}},
            "config": {"Env": ["A=1"]}, "docker_version": "1.2.0", "architecture": "amd64", "os": "linux"});
        if let Some(parent) = parent {
            file["parent"] = json!(parent);
        }
        self.file(&format!("{id}/VERSION"), "1.0")
            .file(&format!("{id}/json"), file.to_string())
            .file(&format!("{id}/layer.tar"), layer)
    }

    pub(crate) fn repositories(self, repositories: Value) -> Self {
        self.file("repositories", repositories.to_string())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A layer with one file.
pub(crate) fn layer(name: &str, content: &str) -> Vec<u8> {
    Archive::new().file(name, content).done()
}

/// Images 1 ← 2 ← 3, and 4 beside 3; 3 is `app:latest` and `app:v1`, 4 is `other:latest`.
pub(crate) fn family() -> Vec<u8> {
    Archive::new()
        .image(id(3), Some(id(2)), &layer("c", "three"))
        .image(id(4), Some(id(2)), &layer("d", "four!!"))
        .image(id(2), Some(id(1)), &layer("b", "2"))
        .image(id(1), None, &layer("a", "1"))
        .repositories(json!({"app": {"latest": id(3), "v1": id(3)}, "other": {"latest": id(4)}}))
        .done()
}

pub(crate) fn tagging() -> TagPolicy {
    TagPolicy { tags: TagRules::WordFirst { longest: 128 }, reserved: &["scratch"], replace: false }
}

pub(crate) fn delete(reference: &str) -> Delete {
    let policy = DeletePolicy {
        check_use_first: true,
        force_takes_all_repositories: true,
        parent_in_several_repositories_refused: false,
    };
    Delete { reference: reference.to_owned(), force: false, keep_parents: false, policy }
}

/// Everything that the store tells, for comparing.
pub(crate) fn told(images: &Images) -> Vec<String> {
    let all = images.list(&drydock_images::Query { all: true, ..Default::default() });
    all.iter()
        .map(|listed| format!("{} {:?} {}", listed.image.id.short(), listed.repo_tags, listed.virtual_size))
        .collect()
}

/// Directories of layers on disk.
pub(crate) fn on_disk(root: &Path) -> usize {
    std::fs::read_dir(root.join("layers/tree")).unwrap().count()
}
