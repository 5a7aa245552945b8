//! Metadata on disk: records by table and key, written in groups.
//!
//! One thread writes. What was handed in while a write was on its way goes into the next one, so many operations share
//! one fsync. [`Store::commit`] returns when its records are on disk; [`Store::commit_later`] only keeps the order.

use crate::error::{Error, StoreError};
use drydock_core::fault;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Version of the format of all records. A store of a newer one is refused.
const FORMAT: u32 = 1;

/// Pages that redb keeps in memory. Records are read once, at start; what is written is small.
const CACHE: usize = 256 * 1024;

const META: TableDefinition<'_, &str, u32> = TableDefinition::new("meta");

/// A table of records: JSON by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// What a container is: changes with create, rename, and a start that brings a host configuration.
    Containers,
    /// What becomes of it: changes with every transition.
    Runs,
    /// Execs that ended.
    Execs,
    /// Volumes whose data is ours; the records are empty.
    Volumes,
}

impl Table {
    fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            Self::Containers => "containers",
            Self::Runs => "runs",
            Self::Execs => "execs",
            Self::Volumes => "volumes",
        })
    }

    const ALL: [Self; 4] = [Self::Containers, Self::Runs, Self::Execs, Self::Volumes];
}

/// One change: the record, or `None` to remove it.
pub(crate) struct Change {
    pub(crate) table: Table,
    pub(crate) key: [u8; 32],
    pub(crate) record: Option<Vec<u8>>,
}

type Done = Result<(), Arc<StoreError>>;

struct Job {
    changes: Vec<Change>,
    done: Option<oneshot::Sender<Done>>,
}

/// The store. Dropping it writes what was handed in, then closes.
pub(crate) struct Store {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// All records of a table.
pub(crate) type Records = Vec<([u8; 32], Vec<u8>)>;

impl Store {
    /// Opens the store at `path`, makes it if it is not there, and reads all of it, one list per [`Table::ALL`].
    pub(crate) fn open(path: &Path) -> Result<(Self, [Records; 4]), Error> {
        let wrap = |source| Error::Store { path: path.to_owned(), source: Arc::new(source) };
        let (database, records) = open(path).map_err(wrap)?;
        let (jobs, queue) = mpsc::channel();
        let writer = std::thread::Builder::new()
            .name("store".into())
            .stack_size(256 * 1024)
            .spawn(move || write_all(&database, &queue))
            .map_err(|source| wrap(source.into()))?;
        Ok((Self { path: path.to_owned(), jobs: Some(jobs), writer: Mutex::new(Some(writer)) }, records))
    }

    /// Writes `changes`, all or none; returns when they are on disk.
    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<(), Error> {
        let (sender, done) = oneshot::channel();
        self.send(Job { changes, done: Some(sender) });
        let result = done.await.unwrap_or_else(|_| Err(Arc::new(StoreError::Closed)));
        result.map_err(|source| Error::Store { path: self.path.clone(), source })
    }

    /// Has `changes` written, in order with all others, without waiting. For what can be found out again.
    pub(crate) fn commit_later(&self, changes: Vec<Change>) {
        self.send(Job { changes, done: None });
    }

    fn send(&self, job: Job) {
        // A writer that is gone drops the job, and `done` with it: the caller sees `Closed`.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.jobs = None;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

fn open(path: &Path) -> Result<(Database, [Records; 4]), StoreError> {
    let database = Database::builder().set_cache_size(CACHE).create(path).map_err(boxed)?;
    let write = database.begin_write().map_err(boxed)?;
    {
        let mut meta = write.open_table(META).map_err(boxed)?;
        let found = meta.get("format").map_err(boxed)?.map(|format| format.value());
        match found {
            Some(found) if found > FORMAT => return Err(StoreError::NewerFormat { found, known: FORMAT }),
            Some(_) => {}
            None => drop(meta.insert("format", FORMAT).map_err(boxed)?),
        }
        for table in Table::ALL {
            write.open_table(table.definition()).map_err(boxed)?;
        }
    }
    write.commit().map_err(boxed)?;
    let mut all = [const { Vec::new() }; 4];
    let read = database.begin_read().map_err(boxed)?;
    for (table, records) in Table::ALL.into_iter().zip(&mut all) {
        for entry in read.open_table(table.definition()).map_err(boxed)?.iter().map_err(boxed)? {
            let (key, value) = entry.map_err(boxed)?;
            if let Ok(key) = key.value().try_into() {
                records.push((key, value.value().to_vec()));
            }
        }
    }
    drop(read);
    Ok((database, all))
}

fn write_all(database: &Database, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter());
        let result = write(database, &group).map_err(Arc::new);
        if let Err(error) = &result {
            tracing::error!(%error, "metadata was not written");
        }
        for job in group {
            if let Some(done) = job.done {
                let _ = done.send(result.clone());
            }
        }
    }
}

fn write(database: &Database, group: &[Job]) -> Result<(), StoreError> {
    let write = database.begin_write().map_err(boxed)?;
    for table in Table::ALL {
        let changes = || group.iter().flat_map(|job| &job.changes).filter(move |change| change.table == table);
        if changes().next().is_none() {
            continue;
        }
        let mut records = write.open_table(table.definition()).map_err(boxed)?;
        for change in changes() {
            match &change.record {
                Some(record) => drop(records.insert(&change.key[..], &record[..]).map_err(boxed)?),
                None => drop(records.remove(&change.key[..]).map_err(boxed)?),
            }
        }
    }
    fault::point("engine.store.before-commit")?;
    write.commit().map_err(boxed)?;
    fault::point("engine.store.after-commit")?;
    Ok(())
}

fn boxed(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Database(Box::new(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u8, record: &str) -> Change {
        Change { table: Table::Runs, key: [key; 32], record: Some(record.into()) }
    }

    #[tokio::test]
    async fn what_was_committed_is_there_when_the_store_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.redb");
        let (store, records) = Store::open(&path).unwrap();
        assert!(records.iter().all(Vec::is_empty));
        store.commit(vec![put(1, "a"), put(2, "b")]).await.unwrap();
        store.commit_later(vec![Change { table: Table::Runs, key: [1; 32], record: None }]);
        drop(store);
        let (_, records) = Store::open(&path).unwrap();
        assert_eq!(records[1], [([2; 32], b"b".to_vec())]);
    }

    #[tokio::test]
    async fn commits_at_once_are_all_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.redb");
        let (store, _) = Store::open(&path).unwrap();
        let store = Arc::new(store);
        let tasks: Vec<_> = (0..50)
            .map(|key| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.commit(vec![put(key, "x")]).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        drop(store);
        assert_eq!(Store::open(&path).unwrap().1[1].len(), 50);
    }

    #[test]
    fn a_store_of_a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("engine.redb");
        drop(Store::open(&path).unwrap());
        let database = Database::create(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
        write.commit().unwrap();
        drop(database);
        let Err(Error::Store { source, .. }) = Store::open(&path) else { panic!("opened") };
        assert!(matches!(*source, StoreError::NewerFormat { found: 2, known: 1 }));
    }
}
