//! Making a container's volumes.

use super::{Bind, VolumesFrom};
use crate::config::{CreateRules, HostConfig};
use crate::snapshot::Volume;
use crate::undo::Undo;
use crate::{ContainerConfig, Engine, Error, Lookup, Target, VolumeError};
use drydock_core::Id;
use drydock_layers::Rootfs;
use serde::{Deserialize, Serialize};
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

/// Where the data of volumes without a host path of their own is: clients read the path in inspect, and use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumePlace {
    /// `vfs/dir/ID` below the data root.
    Vfs,
    /// `volumes/ID/_data` below the data root.
    #[default]
    Volumes,
}

impl VolumePlace {
    /// Both, in no order.
    pub(crate) const ALL: [Self; 2] = [Self::Vfs, Self::Volumes];

    /// The directory that holds those of all volumes.
    pub(crate) fn parent(self, root: &Path) -> PathBuf {
        root.join(match self {
            Self::Vfs => "vfs/dir",
            Self::Volumes => "volumes",
        })
    }

    /// A volume's own directory.
    pub(crate) fn directory(self, root: &Path, id: Id) -> PathBuf {
        self.parent(root).join(id.to_string())
    }

    /// Where in its own directory a volume's data is.
    fn data(self, directory: &Path) -> PathBuf {
        match self {
            Self::Vfs => directory.to_owned(),
            Self::Volumes => directory.join("_data"),
        }
    }
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
    ) -> Result<Self, VolumeError> {
        let mut known = BTreeMap::new();
        for text in host.volumes_from.iter().flatten() {
            let from = VolumesFrom::parse(text)?;
            let target = Target::new(from.container.clone(), Lookup::NameFirst);
            let Ok(container) = engine.find(&target) else { return Err(VolumeError::FromMissing(from.container)) };
            for (path, volume) in container.view().volumes.iter().flat_map(|volumes| volumes.iter()) {
                let writable = from.writable.unwrap_or(true) && volume.writable;
                known.insert(path.clone(), Volume { writable, ..volume.clone() });
            }
        }
        let mut bound: BTreeMap<String, PathBuf> = BTreeMap::new();
        for text in host.binds.iter().flatten() {
            if rules.oldest_binds && !text.contains(':') {
                return Err(VolumeError::Relative(String::new()));
            }
            let bind = Bind::parse(text, rules.bind_mode)?;
            if rules.oldest_binds && [".", "/"].contains(&bind.destination.as_str()) {
                return Err(VolumeError::AtRoot);
            }
            if let Some(other) = bound.insert(bind.destination.clone(), bind.source.clone())
                && rules.volumes_once
            {
                let (source_path, other) = (bind.source.display().to_string(), other.display().to_string());
                return Err(VolumeError::Twice { path: bind.destination, source_path, other });
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
        let directory = rules.volume_place.directory(root, id);
        let remove = directory.clone();
        undo.push(move || drop(fs::remove_dir_all(remove)));
        let stage = VolumePlace::Volumes.directory(root, id).join("new");
        let source = fill(&directory, &stage, &path, rootfs, rules)?;
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
/// setgid and sticky bits on the volume itself (recordings `inside/volume-nested`). It is put together in `stage`. Returns where its data is.
fn fill(directory: &Path, stage: &Path, path: &str, rootfs: &Rootfs, rules: &CreateRules) -> Result<PathBuf, Error> {
    let data = rules.volume_place.data(directory);
    let copy = match rootfs.copy(path, "data", &[]) {
        Ok(copy) => copy,
        Err(drydock_layers::Error::NoSuchPath { .. }) => {
            make_dir(&data)?;
            return Ok(data);
        }
        Err(error) => return Err(error.into()),
    };
    make_dir(stage)?;
    let filled = unpack(copy, stage).and_then(|()| take(stage, &data, path, rules));
    let staged =
        if data.starts_with(stage.parent().unwrap_or(stage)) { stage } else { stage.parent().unwrap_or(stage) };
    fs::remove_dir_all(staged).map_err(failed("removing", staged))?;
    filled.map(|()| data)
}

fn make_dir(dir: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(failed("making", dir))
}

/// Moves the one thing that was unpacked to be the data of a volume.
fn take(unpacked: &Path, data: &Path, path: &str, rules: &CreateRules) -> Result<(), Error> {
    let top = fs::read_dir(unpacked).map_err(failed("reading", unpacked))?.next();
    let top = top.transpose().map_err(failed("reading", unpacked))?;
    match top.map(|entry| entry.path()) {
        Some(top) if top.is_dir() => {
            let mode = fs::metadata(&top).map_err(failed("looking at", &top))?.permissions().mode();
            fs::set_permissions(&top, fs::Permissions::from_mode(mode & 0o777)).map_err(failed("setting", &top))?;
            make_dir(data.parent().unwrap_or(data))?;
            fs::rename(&top, data).map_err(failed("renaming", &top))
        }
        Some(_) if rules.volume_over_file => Err(Error::Volume(VolumeError::OverFile(path.into()))),
        _ => make_dir(data),
    }
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
