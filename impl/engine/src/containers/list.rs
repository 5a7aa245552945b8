//! `list`: containers, newest first.

use crate::chores::blocking;
use crate::container::Container;
use crate::snapshot::{Sizes, Snapshot};
use crate::state::{ExitCodes, State};
use crate::{Engine, Error, Target};
use drydock_core::Id;
use regex::Regex;
use std::collections::HashMap;
use std::sync::Arc;

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
    /// Tell what images are called now.
    pub image_names: bool,
    /// Codes that the `exited` filter compares with.
    pub exit_codes: ExitCodes,
}

/// What listed containers must be; an empty list asks nothing.
#[derive(Clone, Debug, Default)]
pub struct ListFilters {
    /// Exit code of a container that does not run. One that never ran has 0.
    pub exited: Vec<i32>,
    /// Exit codes let containers through that run.
    pub exited_lets_running_through: bool,
    /// `running`, `paused`, `restarting`, `exited`.
    pub status: Vec<String>,
    /// How they are compared.
    pub status_match: StatusMatch,
    /// The status `exited` implies `all`.
    pub status_implies_all: bool,
    /// Regular expressions over `/NAME`; malformed ones match nothing.
    pub name: Vec<String>,
    /// Regular expressions over the id.
    pub id: Vec<String>,
    /// `KEY` or `KEY=VALUE`: all must be there.
    pub label: Vec<String>,
}

/// How statuses of a filter are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusMatch {
    /// Each must be the container's, in whatever case.
    Each,
    /// One of them must match as a regular expression; malformed ones match nothing.
    #[default]
    Pattern,
}

/// A container in a list.
#[derive(Clone, Debug)]
pub struct ListItem {
    /// Its facts.
    pub snapshot: Arc<Snapshot>,
    /// Other names, that linking containers know it by: `/PARENT/ALIAS`.
    pub linked_as: Vec<String>,
    /// The first name that its image has now.
    pub image_name: Option<String>,
    /// Its sizes, when asked for.
    pub sizes: Option<Sizes>,
}

impl Engine {
    /// Lists containers, newest first.
    ///
    /// # Errors
    /// `NoSuchContainer`… for `since` and `before`.
    pub async fn list(&self, command: List) -> Result<Vec<ListItem>, Error> {
        let find = |target: &Option<Target>| target.as_ref().map(|target| self.find(target)).transpose();
        let before = find(&command.before)?.map(|container| age(&container));
        let since = find(&command.since)?.map(|container| age(&container));
        let limit = command.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let filters = Filters::new(&command);
        let all = command.all || limit.is_some() || before.is_some() || since.is_some() || filters.imply_all;
        let chosen = self.0.registry.all().into_iter().filter(|container| {
            before.is_none_or(|before| age(container) < before) && since.is_none_or(|since| age(container) > since)
        });
        let chosen = chosen.filter_map(|container| {
            let view = container.view();
            ((all || view.state.is_up()) && filters.let_through(&view)).then_some((container, view))
        });
        let mut names: HashMap<Id, Option<String>> = HashMap::new();
        let mut image_name = |image: Id| names.entry(image).or_insert_with(|| self.0.images.first_name(image)).clone();
        let has_links = self.0.registry.has_links();
        let items = chosen.take(limit.unwrap_or(usize::MAX)).map(|(container, snapshot)| ListItem {
            linked_as: if has_links { self.linked_as(&container) } else { Vec::new() },
            image_name: snapshot.image.filter(|_| command.image_names).and_then(&mut image_name),
            snapshot,
            sizes: None,
        });
        let items = items.collect();
        if command.size { self.measure(items).await } else { Ok(items) }
    }

    fn linked_as(&self, container: &Container) -> Vec<String> {
        let parents = self.0.registry.parents(container.id).into_iter();
        parents.map(|(parent, alias)| format!("/{}/{alias}", parent.view().name)).collect()
    }

    async fn measure(&self, mut items: Vec<ListItem>) -> Result<Vec<ListItem>, Error> {
        let engine = self.clone();
        blocking(move || {
            for item in &mut items {
                item.sizes = Some(engine.sizes(&item.snapshot)?);
            }
            Ok(items)
        })
        .await
    }

    /// What a container wrote, and what it has in all. Walks its files.
    fn sizes(&self, snapshot: &Snapshot) -> Result<Sizes, Error> {
        let writable = self.0.images.layers().rootfs(snapshot.id)?.size()?;
        let image = snapshot.image.and_then(|image| self.0.images.inspect(&image.to_string()).ok());
        let image = image.map_or(0, |image| image.virtual_size);
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(Sizes { writable: signed(writable), root: signed(writable.saturating_add(image)) })
    }
}

fn age(container: &Container) -> (drydock_core::Timestamp, drydock_core::Id) {
    (container.created, container.id)
}

struct Filters<'a> {
    filters: &'a ListFilters,
    exit_codes: ExitCodes,
    names: Vec<Regex>,
    ids: Vec<Regex>,
    statuses: Vec<Regex>,
    imply_all: bool,
}

impl<'a> Filters<'a> {
    fn new(command: &'a List) -> Self {
        let filters = &command.filters;
        let compile = |texts: &[String]| texts.iter().filter_map(|text| Regex::new(text).ok()).collect();
        Self {
            filters,
            exit_codes: command.exit_codes,
            names: compile(&filters.name),
            ids: compile(&filters.id),
            statuses: compile(&filters.status),
            imply_all: filters.status_implies_all && filters.status.iter().any(|status| status == "exited"),
        }
    }

    fn let_through(&self, view: &Snapshot) -> bool {
        let filters = self.filters;
        let matches = |wanted: &[String], compiled: &[Regex], text: &str| {
            wanted.is_empty() || compiled.iter().any(|regex| regex.is_match(text))
        };
        self.let_exit_through(view)
            && self.let_status_through(view.state.word())
            && (filters.name.is_empty() || matches(&filters.name, &self.names, &format!("/{}", view.name)))
            && (filters.id.is_empty() || matches(&filters.id, &self.ids, &view.id.to_string()))
            && filters.label.iter().all(|label| has_label(view, label))
    }

    fn let_exit_through(&self, view: &Snapshot) -> bool {
        let code = view.state.exited().map_or(0, |exited| self.exit_codes.code(&exited.how));
        let (filters, up) = (self.filters, view.state.is_up());
        filters.exited.is_empty()
            || if up { filters.exited_lets_running_through } else { filters.exited.contains(&code) }
    }

    fn let_status_through(&self, word: &str) -> bool {
        match self.filters.status_match {
            StatusMatch::Each => self.filters.status.iter().all(|status| status.eq_ignore_ascii_case(word)),
            StatusMatch::Pattern => {
                self.filters.status.is_empty() || self.statuses.iter().any(|regex| regex.is_match(word))
            }
        }
    }
}

fn has_label(view: &Snapshot, wanted: &str) -> bool {
    let Some(labels) = &view.config.labels else { return false };
    match wanted.split_once('=') {
        None => labels.contains_key(wanted),
        Some((key, value)) => labels.get(key).is_some_and(|has| has == value),
    }
}

impl State {
    /// The word of the `status` filter.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running(_) => "running",
            Self::Paused(_) => "paused",
            Self::Restarting(_) => "restarting",
            Self::Dead(_) => "dead",
            Self::Created | Self::Exited(_) => "exited",
        }
    }
}
