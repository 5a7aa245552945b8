//! What lies in an archive, read once.

use super::Source;
use crate::{Error, Images, Result};
use drydock_core::Id;
use drydock_layers::tar::{ArchiveError, Entry, Kind, Reader};
use drydock_layers::{Compression, Digest, Digesting, Error as LayerError, Layer, Unpacked};
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// Files beyond this are no descriptions of images: those are held in memory.
const LARGEST_FILE: u64 = 8 << 20;
/// All of them together.
const LARGEST_TOTAL: u64 = 64 << 20;
/// Links are followed that often.
const MOST_LINKS: usize = 10;

/// What lies in an archive.
#[derive(Default)]
pub(super) struct Contents {
    files: HashMap<String, Vec<u8>>,
    layers: HashMap<String, Stored>,
    links: HashMap<String, String>,
    bytes: u64,
}

/// A layer's archive.
enum Stored {
    Unpacked(Unpacked),
    /// One with the same content is here.
    Here(Layer),
    /// Its image is here, with this layer.
    Known(Option<Layer>),
    /// Of no use to anyone: no byte of it was there.
    Nothing,
    /// Damaged. Told only when an image asks for it: what is wrong with the image itself comes first
    /// (`images.load-save/all`, `load-bad-json`).
    Refused(LayerError),
}

impl Contents {
    pub(super) fn read(store: &Images, archive: impl Read + Send) -> Result<Self> {
        let source = Compression::open(archive).map_err(LayerError::from)?;
        let mut reader = Reader::new(source);
        let mut contents = Self::default();
        while let Some(entry) = reader.next_entry().map_err(LayerError::from)? {
            let path = cleaned(&entry.path);
            match &entry.kind {
                Kind::File => contents.file(store, path, &entry, &mut reader)?,
                Kind::HardLink(target) => {
                    contents.links.insert(path, cleaned(target));
                }
                Kind::Symlink(target) => {
                    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
                    contents.links.insert(path, resolved(&parent, target));
                }
                _ => {}
            }
        }
        reader.finish().map_err(LayerError::from)?;
        Ok(contents)
    }

    fn file<R: BufRead + Send>(
        &mut self,
        store: &Images,
        path: String,
        entry: &Entry,
        reader: &mut Reader<R>,
    ) -> Result<()> {
        let parts: Vec<&str> = path.split('/').collect();
        let is_layer = match parts[..] {
            [_, "layer.tar"] => true,
            ["blobs", "sha256", _] => !begins_as_json(reader)?,
            [_, "json"] => false,
            [name] => {
                let wanted = matches!(name, "repositories" | "manifest.json" | "index.json") || name.ends_with(".json");
                if name.ends_with(".tar") {
                    true
                } else if wanted {
                    false
                } else {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        };
        if !is_layer {
            return self.small(path, entry, reader);
        }
        if entry.extents.is_some() {
            return Err(LayerError::from(ArchiveError::Malformed("a layer's archive that is sparse")).into());
        }
        let stored = match layer(store, &parts, entry, reader) {
            Err(Error::Layers(error @ LayerError::Archive(_))) => Stored::Refused(error),
            stored => stored?,
        };
        self.layers.insert(path, stored);
        Ok(())
    }

    fn small(&mut self, path: String, entry: &Entry, reader: &mut impl Read) -> Result<()> {
        self.bytes += entry.size;
        if entry.size > LARGEST_FILE || self.bytes > LARGEST_TOTAL {
            return Err(Error::ArchiveTooLarge(path));
        }
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| LayerError::from(drydock_layers::tar::ReadError::from(error)))?;
        if let Some(name) = path.strip_prefix("blobs/sha256/")
            && Digest::of(&bytes).0.to_string() != name
        {
            return Err(Error::ArchiveDigest(path));
        }
        self.files.insert(path, bytes);
        Ok(())
    }

    /// Whether there is an image in the documented form.
    pub(super) fn is_documented(&self) -> bool {
        self.documented().next().is_some()
    }

    /// Directories in the documented form: `NAME/json`.
    pub(super) fn documented(&self) -> impl Iterator<Item = &str> {
        self.files.keys().filter_map(|path| path.strip_suffix("/json")).filter(|name| !name.contains('/'))
    }

    /// A small file, links followed.
    pub(super) fn text(&self, path: &str) -> Option<&[u8]> {
        self.files.get(self.target(path)?).map(Vec::as_slice)
    }

    /// A small file that has to be there.
    pub(super) fn needed(&self, path: &str) -> Result<&[u8]> {
        self.text(path).ok_or_else(|| Error::ArchiveLacks(path.to_owned()))
    }

    /// Takes a layer's archive, links followed. One that several images share is taken once; the others get what it
    /// became, which is a layer of the same digest.
    ///
    /// # Errors
    /// `ArchiveLacks`, `Layers` when it is damaged.
    pub(super) fn layer(&mut self, path: &str) -> Result<(Source, Option<Digest>)> {
        let lacks = || Error::ArchiveLacks(path.to_owned());
        let target = self.target(path).ok_or_else(lacks)?.to_owned();
        Ok(match self.layers.remove(&target).ok_or_else(lacks)? {
            Stored::Refused(error) => return Err(error.into()),
            Stored::Unpacked(unpacked) => {
                let digest = unpacked.digest();
                (Source::Unpacked(unpacked), Some(digest))
            }
            Stored::Here(layer) => {
                let digest = layer.digest();
                self.layers.insert(target, Stored::Here(layer.clone()));
                (Source::Here(layer), digest)
            }
            Stored::Known(layer) => (layer.map_or(Source::Nothing, Source::Here), None),
            Stored::Nothing => (Source::Nothing, None),
        })
    }

    /// What was made of the archive at `path`, for further images that share it.
    pub(super) fn became(&mut self, path: &str, layer: &Layer) {
        if let Some(target) = self.target(path).map(str::to_owned) {
            self.layers.insert(target, Stored::Here(layer.clone()));
        }
    }

    fn target<'a>(&'a self, path: &'a str) -> Option<&'a str> {
        let mut path = path;
        for _ in 0..MOST_LINKS {
            match self.links.get(path) {
                Some(target) => path = target,
                None => return Some(path),
            }
        }
        None
    }
}

/// Unpacks a layer, unless it is here.
fn layer<R: BufRead + Send>(store: &Images, parts: &[&str], entry: &Entry, reader: &mut Reader<R>) -> Result<Stored> {
    if entry.size == 0 {
        return Ok(Stored::Nothing);
    }
    if let [name, "layer.tar"] = parts
        && let Ok(id) = name.parse::<Id>()
        && let Some(node) = store.graph().get(id).map(Arc::clone)
    {
        return Ok(Stored::Known(node.layer.clone()));
    }
    let ["blobs", _, name] = parts else {
        return Ok(Stored::Unpacked(store.layers().unpack(reader)?));
    };
    let digest = format!("sha256:{name}").parse::<Digest>().map_err(|_| Error::ArchiveDigest(parts.join("/")))?;
    if let Some(layer) = store.layers().with_digest(digest) {
        return Ok(Stored::Here(layer));
    }
    let mut digesting = Digesting::new(reader);
    let unpacked = store.layers().unpack(&mut digesting)?;
    let (found, _) =
        digesting.finish().map_err(|error| LayerError::from(drydock_layers::tar::ReadError::from(error)))?;
    if found == digest { Ok(Stored::Unpacked(unpacked)) } else { Err(Error::ArchiveDigest(parts.join("/"))) }
}

fn begins_as_json<R: BufRead>(reader: &mut Reader<R>) -> Result<bool> {
    let beginning = reader.fill_buf().map_err(|error| LayerError::from(drydock_layers::tar::ReadError::from(error)))?;
    Ok(beginning.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| matches!(byte, b'{' | b'[')))
}

/// A path without what does not matter. Nothing is ever opened by it.
fn cleaned(path: &[u8]) -> String {
    resolved("", path)
}

fn resolved(parent: &str, path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let mut kept: Vec<&str> = parent.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            kept.pop();
        } else {
            kept.push(part);
        }
    }
    kept.join("/")
}
