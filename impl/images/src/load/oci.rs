//! Forms of later daemons: `manifest.json`, and the OCI image layout. Both name a configuration and its layers; each
//! step of the configuration's history becomes an image, the last one with the configuration's digest for its id.

use super::contents::Contents;
use super::{Found, Source};
use crate::image::Image;
use crate::{Error, Result, file};
use drydock_core::{Id, ImageReference, Selector};
use drydock_layers::{Digest, LayerId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// An image of the archive.
struct Manifest {
    config: String,
    layers: Vec<String>,
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: HashMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    rootfs: RootFs,
    #[serde(default)]
    history: Vec<Step>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Step {
    created: Option<String>,
    created_by: String,
    author: String,
    comment: String,
    empty_layer: bool,
}

pub(super) fn gather(contents: &mut Contents, found: &mut Found<'_>) -> Result<()> {
    for manifest in manifests(contents)? {
        let id = image(contents, found, &manifest)?;
        for name in &manifest.names {
            let split = ImageReference::split(name);
            if let Some(Selector::Tag(tag)) = &split.selector {
                found.tag(&split.repository, tag, id)?;
            }
        }
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(path: &str, text: &'a [u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|source| Error::ArchiveJson { path: path.to_owned(), source })
}

fn manifests(contents: &Contents) -> Result<Vec<Manifest>> {
    if let Some(text) = contents.text("manifest.json") {
        let manifests: Vec<DockerManifest> = parse("manifest.json", text)?;
        return Ok(manifests
            .into_iter()
            .map(|DockerManifest { config, repo_tags, layers }| Manifest {
                config,
                layers,
                names: repo_tags.unwrap_or_default(),
            })
            .collect());
    }
    let Some(text) = contents.text("index.json") else { return Ok(Vec::new()) };
    let index: Index = parse("index.json", text)?;
    index.manifests.iter().map(|descriptor| oci_manifest(contents, descriptor)).collect()
}

/// How deep indexes may lie in one another.
const MOST_INDEXES: usize = 4;

/// The manifest that a descriptor leads to: of an index of several platforms this machine's, else the first.
fn oci_manifest(contents: &Contents, descriptor: &Descriptor) -> Result<Manifest> {
    let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
    let name = name.iter().find_map(|key| descriptor.annotations.get(*key)).filter(|name| name.contains(':'));
    let mut path = blob(&descriptor.digest);
    for _ in 0..MOST_INDEXES {
        let manifest: Index = parse(&path, contents.needed(&path)?)?;
        if let Some(config) = manifest.config {
            let layers = manifest.layers.iter().map(|layer| blob(&layer.digest)).collect();
            return Ok(Manifest { config: blob(&config.digest), layers, names: name.cloned().into_iter().collect() });
        }
        let here = |descriptor: &&Descriptor| {
            let platform = descriptor.platform.as_ref();
            platform.is_some_and(|p| p.os == "linux" && p.architecture == file::architecture())
        };
        let chosen = manifest.manifests.iter().find(here).or_else(|| manifest.manifests.first());
        path = blob(&chosen.ok_or_else(|| Error::ArchiveLacks(path.clone()))?.digest);
    }
    Err(Error::ArchiveLacks(path))
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

/// Adds the image and its history; its id.
fn image(contents: &mut Contents, found: &mut Found<'_>, manifest: &Manifest) -> Result<Id> {
    let text = contents.needed(&manifest.config)?.to_vec();
    let Config { rootfs, history, rest } = parse(&manifest.config, &text)?;
    let id = Digest::of(&text).0;
    if found.has(id) {
        return Ok(id);
    }
    if rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(Error::ArchiveLacks(format!("{}: layers", manifest.config)));
    }
    // A history that does not fit its layers says nothing of them.
    let fits = history.iter().filter(|step| !step.empty_layer).count() == manifest.layers.len() && !history.is_empty();
    let bare = || vec![Step::default(); manifest.layers.len().max(1)];
    let mut steps = if fits { history } else { bare() };
    if manifest.layers.is_empty() {
        steps.iter_mut().for_each(|step| step.empty_layer = true);
    }
    let mut layers = manifest.layers.iter().zip(&rootfs.diff_ids);
    let (mut parent, mut below) = (None, None);
    let last = steps.len() - 1;
    for (at, step) in steps.iter().enumerate() {
        let layer = if step.empty_layer { None } else { layers.next() };
        let chain = match layer {
            Some((_, diff)) => {
                let diff: Digest = diff.parse().map_err(|_| Error::ArchiveDigest(diff.clone()))?;
                Some((diff, chain_id(below, diff)))
            }
            None => None,
        };
        below = chain.map(|(_, chain)| chain).or(below);
        let step_id = if at == last { id } else { step_id(parent, below, step) };
        if !found.has(step_id) {
            let text = describe(step_id, parent, step, (at == last).then_some(&rest));
            let image: Image = file::read(&manifest.config, &text)?;
            let source = match (layer, chain) {
                (Some((path, _)), Some((diff, chain))) => source(contents, found, path, diff, LayerId(chain.0))?,
                _ => Source::Nothing,
            };
            let name = LayerId(below.unwrap_or(Digest(step_id)).0);
            found.add(image, text, source, name)?;
            if let (Some((path, _)), Some(kept)) = (layer, found.layer(step_id)) {
                contents.became(path, &kept);
            }
        }
        parent = Some(step_id);
    }
    Ok(id)
}

/// The layer at `path` of the archive, whose content has to have the digest `diff`, under the name `name`.
fn source(contents: &mut Contents, found: &Found<'_>, path: &str, diff: Digest, name: LayerId) -> Result<Source> {
    let layers = found.store.layers();
    if let Some(layer) = layers.get(name) {
        return Ok(Source::Here(layer));
    }
    let (source, digest) = contents.layer(path)?;
    if digest != Some(diff) {
        return Err(Error::ArchiveDigest(path.to_owned()));
    }
    match source {
        // The same content over other layers: it is copied, since what its archive implied may look otherwise.
        Source::Here(layer) if layer.id() != name => {
            let (reader, writer) = std::io::pipe()?;
            let unpacked = std::thread::scope(|scope| {
                let packing = scope.spawn(move || layer.write(&mut std::io::BufWriter::new(writer)));
                let unpacked = layers.unpack(reader);
                packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).and(unpacked)
            })?;
            Ok(Source::Unpacked(unpacked))
        }
        source => Ok(source),
    }
}

/// The name of a layer over those beneath, as the OCI image specification computes it.
fn chain_id(below: Option<Digest>, diff: Digest) -> Digest {
    match below {
        None => diff,
        Some(below) => Digest::of(format!("{below} {diff}").as_bytes()),
    }
}

/// An id for a step of the history: the same steps over the same layers are the same image.
fn step_id(parent: Option<Id>, layers: Option<Digest>, step: &Step) -> Id {
    let parts = json!([
        parent,
        layers.map(|layers| layers.to_string()),
        step.created,
        step.created_by,
        step.author,
        step.comment
    ]);
    Digest::of(parts.to_string().as_bytes()).0
}

/// The file of an image of the old form.
fn describe(id: Id, parent: Option<Id>, step: &Step, last: Option<&Map<String, Value>>) -> Vec<u8> {
    let mut text = Map::new();
    text.insert("id".into(), json!(id));
    if let Some(parent) = parent {
        text.insert("parent".into(), json!(parent));
    }
    let words = [("comment", &step.comment), ("author", &step.author)];
    text.extend(words.into_iter().filter(|(_, word)| !word.is_empty()).map(|(key, word)| (key.into(), json!(word))));
    text.insert("created".into(), step.created.as_ref().map_or(Value::Null, |time| json!(time)));
    text.insert("container_config".into(), json!({"Cmd": [step.created_by]}));
    for (key, value) in last.into_iter().flatten() {
        // The configuration's own words on the last step come before its history's.
        if !matches!(key.as_str(), "id" | "parent") && !value.is_null() {
            text.insert(key.clone(), value.clone());
        }
    }
    Value::Object(text).to_string().into_bytes()
}
