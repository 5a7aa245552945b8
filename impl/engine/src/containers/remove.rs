//! `remove`: a container, or a link to one.

use crate::chores::blocking;
use crate::container::{Container, Phase, no_records};
use crate::containers::Signal;
use crate::events::Action;
use crate::snapshot::Volume;
use crate::store::{Change, Table};
use crate::{Engine, Error, Lookup, Target, VolumePlace};
use drydock_core::Id;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Remove a container.
#[derive(Clone, Debug)]
pub struct Remove {
    /// Which.
    pub target: Target,
    /// Kill it if it runs.
    pub force: bool,
    /// Remove the volumes that nobody else uses.
    pub volumes: bool,
}

/// Remove a link.
#[derive(Clone, Debug)]
pub struct RemoveLink {
    /// `PARENT/ALIAS`, without leading slash.
    pub path: String,
}

impl Engine {
    /// Removes a container with all that is its own. Its name is free when this returns; its files go as a chore. Of
    /// several removals at once one does it, and the others find nothing.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `RunningNotRemoved`, `Paused` (with force).
    pub async fn remove(&self, command: Remove) -> Result<(), Error> {
        let engine = self.clone();
        self.to_the_end(async move { engine.take_away(command).await }).await
    }

    async fn take_away(&self, command: Remove) -> Result<(), Error> {
        let container = self.find(&command.target)?;
        let missing = |_| Error::NoSuchContainer(command.target.reference.clone());
        let _removal = container.removal.lock().await;
        {
            let mut body = container.lock().await.map_err(missing)?;
            match body.phase {
                Phase::Paused(_) if command.force => return Err(Error::Paused(container.id)),
                Phase::Running(_) | Phase::Paused(_) | Phase::Waiting(..) if !command.force => {
                    return Err(Error::RunningNotRemoved(container.id));
                }
                _ => body.removing = true,
            }
        }
        let ended = self.end(&container, Signal::KILL).await;
        let mut body = container.lock().await.map_err(missing)?;
        let removed = match ended {
            Ok(()) => self.remove_records(&container, &body.definition, command.volumes).await,
            Err(error) => Err(error),
        };
        let volumes = match removed {
            Ok(volumes) => volumes,
            Err(error) => {
                body.removing = false;
                return Err(error);
            }
        };
        self.0.registry.remove(&container, &body.definition.name);
        self.forget_execs(&mut body);
        body.phase = Phase::Gone;
        let teardown = body.teardown.take();
        drop(body);
        self.tell(&container, Action::Destroy);
        container.progress.send_modify(|progress| progress.gone = true);
        let (engine, id) = (self.clone(), container.id);
        self.0.chores.spawn(async move {
            if let Some(teardown) = teardown {
                let _ = teardown.await;
            }
            blocking(move || engine.remove_files(id, &volumes)).await;
        });
        Ok(())
    }

    /// Removes a container's records, and those of its volumes that go with it. Returns these.
    async fn remove_records(
        &self,
        container: &Container,
        definition: &crate::container::Definition,
        with_volumes: bool,
    ) -> Result<Vec<Id>, Error> {
        let volumes = definition.volumes.iter().flat_map(|volumes| volumes.values());
        let ours: Vec<Id> = volumes
            .filter(|volume| with_volumes && !volume.bind && !self.used_by_others(container, volume))
            .filter_map(volume_id)
            .collect();
        let mut changes = no_records(container.id);
        changes.extend(ours.iter().map(|id| Change { table: Table::Volumes, key: *id.as_bytes(), record: None }));
        self.0.store.commit(changes).await?;
        Ok(ours)
    }

    fn used_by_others(&self, container: &Container, volume: &Volume) -> bool {
        self.0.registry.all().iter().filter(|other| other.id != container.id).any(|other| {
            let view = other.view();
            view.volumes.iter().flat_map(|volumes| volumes.values()).any(|other| other.source == volume.source)
        })
    }

    /// Removes what a container that nobody knows any more has on disk. What fails is found again at the next start.
    pub(crate) fn remove_files(&self, id: Id, volumes: &[Id]) {
        let told =
            |what: &str, error: &(dyn std::error::Error + 'static)| tracing::warn!(%id, what, error, "not removed");
        match self.0.images.layers().rootfs(id) {
            Ok(rootfs) => {
                if let Err(error) = rootfs.remove() {
                    told("root file system", &error);
                }
            }
            Err(drydock_layers::Error::NoSuchRootfs { .. }) => {}
            Err(error) => told("root file system", &error),
        }
        let root = &self.0.settings.root;
        let volumes = volumes.iter().flat_map(|id| VolumePlace::ALL.map(|place| place.directory(root, *id)));
        let directories: Vec<PathBuf> = std::iter::once(self.container_dir(id)).chain(volumes).collect();
        for directory in directories {
            match fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => told("directory", &error),
                _ => {}
            }
        }
    }

    /// Removes a link from a parent to a child; both stay.
    ///
    /// # Errors
    /// `NameIsNoLink` for a container's own name, `NoSuchLink`.
    pub async fn remove_link(&self, command: RemoveLink) -> Result<(), Error> {
        let missing = || Error::NoSuchLink(command.path.clone());
        let by_name = |name: &str| self.find(&Target::new(name, Lookup::NameFirst));
        let Some((parent, alias)) = command.path.split_once('/') else {
            return Err(by_name(&command.path).map_or_else(|_| missing(), |_| Error::NameIsNoLink));
        };
        let parent: Arc<Container> = by_name(parent).map_err(|_| missing())?;
        let mut body = parent.lock().await?;
        if body.definition.links.remove(alias).is_none() {
            return Err(missing());
        }
        self.0.store.commit(vec![body.definition_record(parent.id)?]).await?;
        self.0.registry.unlink(parent.id, alias);
        Ok(())
    }
}

/// The id of a volume whose data is ours: the name of its directory.
fn volume_id(volume: &Volume) -> Option<Id> {
    let names = volume.source.ancestors().take(2).filter_map(|path| path.file_name()?.to_str());
    names.filter_map(|name| name.parse().ok()).next()
}
