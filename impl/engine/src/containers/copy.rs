//! `copy`: a file or directory of a container as an archive.

use crate::chores::blocking;
use crate::snapshot::Snapshot;
use crate::streams::{ByteStream, written};
use crate::{Engine, Error, Target};
use drydock_layers::Graft;
use std::path::PathBuf;

/// Read a path of a container.
#[derive(Clone, Debug)]
pub struct Copy {
    /// Of which.
    pub target: Target,
    /// Path in the container; a leading slash is not needed.
    pub resource: String,
    /// Volumes are seen, too; else what lies beneath them in the container's own files.
    pub sees_volumes: bool,
}

impl Engine {
    /// A tar archive of a path: the file itself, or the directory with all that is in it.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `EmptyPath`, `Layers` (`NoSuchPath`, `PathLoop`).
    pub async fn copy(&self, command: Copy) -> Result<ByteStream, Error> {
        if command.resource.is_empty() {
            return Err(Error::EmptyPath);
        }
        let container = self.find(&command.target)?;
        let grafts = grafts(&container.view(), command.sees_volumes);
        let engine = self.clone();
        let copy = blocking(move || {
            let id = container.id.to_string();
            engine.0.images.layers().rootfs(container.id)?.copy(&command.resource, &id, &grafts)
        });
        let copy = copy.await?;
        Ok(written(move |to| copy.write(to).map_err(std::io::Error::other)))
    }
}

/// What a container sees instead of its own files: those that tell of its network, and its volumes.
fn grafts(view: &Snapshot, volumes: bool) -> Vec<Graft> {
    let files = &view.files;
    let own =
        [("/etc/resolv.conf", &files.resolv_conf), ("/etc/hostname", &files.hostname), ("/etc/hosts", &files.hosts)];
    let own = own.into_iter().filter(|(_, source)| !source.as_os_str().is_empty());
    let own = own.map(|(at, source)| Graft { at: PathBuf::from(at), source: source.clone() });
    let volumes = view.volumes.iter().filter(|_| volumes).flat_map(|volumes| volumes.iter());
    own.chain(volumes.map(|(at, volume)| Graft { at: at.into(), source: volume.source.clone() })).collect()
}
