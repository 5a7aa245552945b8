//! Saving images as an archive.

use crate::graph::{Node, local_name};
use crate::store::find;
use crate::{Error, Images, Result};
use drydock_core::{Id, ImageReference, Selector};
use drydock_layers::Error as LayerError;
use drydock_layers::tar::{Entry, Kind, Time, Writer};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

/// Images found for saving: errors that a client should see come before the first byte. By default of none: an archive
/// without entries.
#[derive(Debug, Default)]
pub struct Save {
    root_entry: bool,
    /// Sorted by id, as the genuine daemons walk a directory.
    nodes: BTreeMap<Id, Arc<Node>>,
    repositories: BTreeMap<String, BTreeMap<String, Id>>,
}

impl Images {
    /// Finds what `names` name: a repository (all of its names), `repository:tag`, or an id.
    ///
    /// # Errors
    /// `NothingToSave`, those of [`Images::find`].
    pub fn save(&self, names: &[impl AsRef<str>]) -> Result<Save> {
        if names.is_empty() {
            return Err(Error::NothingToSave);
        }
        let graph = self.graph();
        let mut save = Save::default();
        for name in names.iter().map(AsRef::as_ref) {
            let split = ImageReference::split(name);
            let mut ids: Vec<Id> = Vec::new();
            if let (None, Some(all)) = (&split.selector, graph.repositories().get(local_name(name))) {
                ids.extend(all.values().copied());
                save.repositories.entry(local_name(name).to_owned()).or_default().extend(all.clone());
            } else {
                let id = find(&graph, name)?.0.image.id;
                ids.push(id);
                if let Some(Selector::Tag(tag) | Selector::Digest(tag)) = split.selector {
                    save.repositories.entry(split.repository).or_default().insert(tag, id);
                }
            }
            for id in ids {
                for node in graph.ancestry(id) {
                    if save.nodes.insert(node.image.id, Arc::clone(node)).is_some() {
                        break;
                    }
                }
            }
        }
        Ok(save)
    }
}

impl Save {
    /// Begins the archive with an entry for its root, as daemons before 1.4.1 did (`images.load-save/all`, `get-id`).
    #[must_use]
    pub fn with_root_entry(self) -> Self {
        Self { root_entry: true, ..self }
    }

    /// Writes the archive: of each image and its ancestors `VERSION`, `json` and `layer.tar`, then `repositories`. The
    /// same images make the same bytes: times are those of the images.
    ///
    /// # Errors
    /// `Layers`.
    pub fn write(self, to: &mut dyn Write) -> Result<()> {
        let mut writer = Writer::new(to);
        let newest = self.nodes.values().map(|node| time(node)).max().unwrap_or_default();
        if self.root_entry {
            let root = Entry { modified: newest, mode: 0o700, ..Entry::new("./", Kind::Directory) };
            writer.entry(&root).map_err(LayerError::Sink)?;
        }
        for node in self.nodes.values() {
            write_image(&mut writer, node)?;
        }
        if !self.repositories.is_empty() {
            let mut text = serde_json::to_vec(&self.repositories).map_err(io::Error::from)?;
            text.push(b'\n');
            write_file(&mut writer, "repositories", newest, &text)?;
        }
        let to = writer.finish().map_err(LayerError::Sink)?;
        Ok(to.flush().map_err(LayerError::Sink)?)
    }
}

fn write_image(writer: &mut Writer<&mut dyn Write>, node: &Node) -> Result<()> {
    let (id, time) = (node.image.id, time(node));
    let directory = Entry { modified: time, ..Entry::new(format!("{id}/"), Kind::Directory) };
    writer.entry(&directory).map_err(LayerError::Sink)?;
    write_file(writer, &format!("{id}/VERSION"), time, b"1.0")?;
    write_file(writer, &format!("{id}/json"), time, &node.file)?;
    let path = format!("{id}/layer.tar");
    let Some(layer) = &node.layer else {
        return write_file(writer, &path, time, &[0; 1024]);
    };
    let entry = Entry { modified: time, size: layer.archive_length()?, mode: 0o644, ..Entry::new(path, Kind::File) };
    writer.entry(&entry).map_err(LayerError::Sink)?;
    Ok(layer.write(&mut Content(writer))?)
}

fn write_file(writer: &mut Writer<&mut dyn Write>, path: &str, modified: Time, content: &[u8]) -> Result<()> {
    let entry = Entry { modified, size: content.len() as u64, mode: 0o644, ..Entry::new(path, Kind::File) };
    writer.entry(&entry).and_then(|()| writer.content(content)).map_err(LayerError::Sink)?;
    Ok(())
}

/// Whole seconds: older readers know no others.
fn time(node: &Node) -> Time {
    Time { seconds: node.image.created.unix_seconds().max(0), nanos: 0 }
}

/// What is written becomes content of the current entry.
struct Content<'a, 'b>(&'a mut Writer<&'b mut dyn Write>);

impl Write for Content<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.content(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
