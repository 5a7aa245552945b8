//! `list`: containers, newest first.

use crate::snapshot::{Sizes, Snapshot};
use crate::state::ExitCodes;
use crate::{Engine, Error, Target};

/// List containers.
#[derive(Clone, Debug)]
pub struct List {
    /// Also those that do not run.
    pub all: bool,
    /// At most so many; implies `all`. `None` or a number below 1: no bound.
    pub limit: Option<i64>,
    /// Only those created after this one; implies `all`.
    pub since: Option<Target>,
    /// Only those created before this one; implies `all`.
    pub before: Option<Target>,
    /// Measure sizes, too.
    pub size: bool,
    /// What else they must be.
    pub filters: ListFilters,
    /// Codes that the `exited` filter compares with.
    pub exit_codes: ExitCodes,
}

/// What listed containers must be; an empty list asks nothing.
#[derive(Clone, Debug, Default)]
pub struct ListFilters {
    /// Exit code; implies `all`. A container that never ran has 0.
    pub exited: Vec<i32>,
    /// `running`, `paused`, `restarting`, `exited`.
    pub status: Vec<String>,
    /// A status filter implies `all`.
    pub status_implies_all: bool,
    /// Regular expressions over `/NAME`; malformed ones match nothing.
    pub name: Vec<String>,
    /// Regular expressions over the id.
    pub id: Vec<String>,
    /// `KEY` or `KEY=VALUE`: all must be there.
    pub label: Vec<String>,
}

/// A container in a list.
#[derive(Clone, Debug)]
pub struct ListItem {
    /// Its facts.
    pub snapshot: Snapshot,
    /// Its image as list shows it: the name it was created by, or the short id when that name is another image's now.
    pub image: String,
    /// Sizes, when asked for.
    pub sizes: Option<Sizes>,
}

impl Engine {
    /// Lists containers, newest first.
    ///
    /// # Errors
    /// `NoSuchContainer`… for `since` and `before`.
    pub async fn list(&self, command: List) -> Result<Vec<ListItem>, Error> {
        let _ = command;
        todo!()
    }
}
