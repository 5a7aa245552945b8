//! Making a container's volumes.

use super::{Bind, VolumesFrom};
use crate::config::{CreateRules, HostConfig};
use crate::snapshot::Volume;
use crate::undo::Undo;
use crate::{ContainerConfig, Engine, Error, Lookup, Target};
use drydock_core::Id;
use drydock_layers::Rootfs;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A container's volumes, by path in it: those that exist, and those to be made.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) known: BTreeMap<String, Volume>,
    pub(crate) new: BTreeSet<String>,
}

/// Where the data of a volume without a host path of its own is.
pub(crate) fn directory(root: &Path, id: Id) -> PathBuf {
    root.join("volumes").join(id.to_string())
}

impl Plan {
    /// What the configurations ask for: binds go before other containers' volumes, those before the container's own.
    /// `before`: volumes that it has already, which stay unless a bind or another container's takes their place.
    pub(crate) fn new(
        engine: &Engine,
        config: &ContainerConfig,
        host: &HostConfig,
        before: Option<&BTreeMap<String, Volume>>,
        rules: &CreateRules,
    ) -> Result<Self, Error> {
        let mut known = BTreeMap::new();
        for text in host.volumes_from.iter().flatten() {
            let from = VolumesFrom::parse(text)?;
            let target = Target::new(from.container.clone(), Lookup::NameFirst);
            let Ok(container) = engine.find(&target) else { return Err(Error::VolumesFromMissing(from.container)) };
            for (path, volume) in container.view().volumes.iter().flat_map(|volumes| volumes.iter()) {
                let writable = from.writable.unwrap_or(true) && volume.writable;
                known.insert(path.clone(), Volume { writable, ..volume.clone() });
            }
        }
        let mut bound = BTreeSet::new();
        for text in host.binds.iter().flatten() {
            let bind = Bind::parse(text, rules.bind_mode)?;
            if !bound.insert(bind.destination.clone()) && rules.volumes_once {
                return Err(Error::VolumeTwice(bind.destination));
            }
            let volume = Volume { source: bind.source, writable: bind.writable, bind: true };
            known.insert(bind.destination, volume);
        }
        for (path, volume) in before.into_iter().flatten().filter(|(_, volume)| !volume.bind) {
            known.entry(path.clone()).or_insert_with(|| volume.clone());
        }
        let own = config.volumes.iter().flatten().map(|path| super::clean(path));
        let new = own.filter(|path| !known.contains_key(path)).collect();
        Ok(Self { known, new })
    }
}

/// Makes what is to be made: directories of the host that are missing, and new volumes with what the image has at
/// their place. Returns all volumes, and the ids of the new ones.
pub(crate) fn make(
    plan: Plan,
    root: &Path,
    rootfs: &Rootfs,
    rules: &CreateRules,
    undo: &mut Undo,
) -> Result<(BTreeMap<String, Volume>, Vec<Id>), Error> {
    let Plan { mut known, new } = plan;
    for volume in known.values().filter(|volume| volume.bind) {
        make_bind_source(&volume.source)?;
    }
    let mut ids = Vec::new();
    for path in new {
        let id = Id::random();
        let directory = directory(root, id);
        let remove = directory.clone();
        undo.push(move || drop(fs::remove_dir_all(remove)));
        let source = fill(&directory, &path, rootfs, rules)?;
        known.insert(path, Volume { source, writable: true, bind: false });
        ids.push(id);
    }
    Ok((known, ids))
}

/// A missing host path becomes a directory.
fn make_bind_source(source: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(source) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(source).map_err(failed("making", source))
        }
        Err(source_error) => Err(failed("looking at", source)(source_error)),
    }
}

/// Makes a volume in `directory`, with what `rootfs` has at `path`: contents, owners and modes, but no setuid,
/// setgid and sticky bits on the volume itself (recordings `inside/volume-nested`).
fn fill(directory: &Path, path: &str, rootfs: &Rootfs, rules: &CreateRules) -> Result<PathBuf, Error> {
    let data = directory.join("_data");
    let make =
        |dir: &Path| fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(failed("making", dir));
    make(directory)?;
    let copy = match rootfs.copy(path, "_data", &[]) {
        Ok(copy) => copy,
        Err(drydock_layers::Error::NoSuchPath { .. }) => {
            make(&data)?;
            return Ok(data);
        }
        Err(error) => return Err(error.into()),
    };
    let unpacked = directory.join("new");
    make(&unpacked)?;
    unpack(copy, &unpacked)?;
    let top = fs::read_dir(&unpacked).map_err(failed("reading", &unpacked))?.next();
    let top = top.transpose().map_err(failed("reading", &unpacked))?;
    match top.map(|entry| entry.path()) {
        Some(top) if top.is_dir() => {
            let mode = fs::metadata(&top).map_err(failed("looking at", &top))?.permissions().mode();
            fs::set_permissions(&top, fs::Permissions::from_mode(mode & 0o777)).map_err(failed("setting", &top))?;
            fs::rename(&top, &data).map_err(failed("renaming", &top))?;
        }
        Some(_) if rules.volume_over_file => return Err(Error::VolumeOverFile(path.into())),
        _ => make(&data)?,
    }
    fs::remove_dir_all(&unpacked).map_err(failed("removing", &unpacked))?;
    Ok(data)
}

/// Lays an archive out in a directory as it is written.
fn unpack(copy: drydock_layers::Copy, into: &Path) -> Result<(), Error> {
    let (reader, mut writer) = io::pipe().map_err(failed("piping to", into))?;
    std::thread::scope(|scope| {
        let written = scope.spawn(move || copy.write(&mut writer));
        let unpacked = drydock_layers::unpack_into(into, reader);
        let written = written.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        unpacked?;
        Ok(written?)
    })
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Io { what, path: path.to_owned(), source }
}
