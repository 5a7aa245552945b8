//! Which containers there are, and what they are called: ids, names, links.
//!
//! One short lock, always taken before a container's own and never held while anything is waited for.

use crate::container::Container;
use crate::{Error, Lookup, Target};
use drydock_core::{Id, Name, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// All containers by every name they have.
#[derive(Default)]
pub(crate) struct Registry(RwLock<Index>);

#[derive(Default)]
struct Index {
    containers: BTreeMap<Id, Arc<Container>>,
    /// In the order of creation; the id decides between two of one instant.
    by_age: BTreeMap<(Timestamp, Id), Arc<Container>>,
    /// Names of containers, and of those on their way.
    names: HashMap<Name, Id>,
    /// Children by parent and alias.
    links: BTreeMap<(Id, String), Id>,
}

/// A name that is taken for a container on its way; given back on drop unless the container was added.
pub(crate) struct NameClaim<'a> {
    registry: &'a Registry,
    name: Name,
    kept: bool,
}

impl NameClaim<'_> {
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }
}

impl Drop for NameClaim<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.registry.write().names.remove(&self.name);
        }
    }
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container that `target` means.
    pub(crate) fn find(&self, target: &Target) -> Result<Arc<Container>, Error> {
        let index = self.read();
        let reference = target.reference.as_str();
        if reference.is_empty() {
            return Err(Error::EmptyReference);
        }
        let missing = || Error::NoSuchContainer(reference.to_owned());
        if let Some(container) = reference.parse().ok().and_then(|id: Id| index.containers.get(&id)) {
            return Ok(Arc::clone(container));
        }
        let named = index.named(reference);
        match (target.lookup, named, index.by_prefix(reference)) {
            (Lookup::NameFirst, Some(named), _) => Ok(named),
            (_, _, Prefix::One(container)) => Ok(container),
            (Lookup::NameFirst, None, Prefix::Several) => Err(Error::AmbiguousReference(reference.to_owned())),
            (Lookup::PrefixFirst, Some(named), _) => Ok(named),
            (_, None, _) => Err(missing()),
        }
    }

    pub(crate) fn get(&self, id: Id) -> Option<Arc<Container>> {
        self.read().containers.get(&id).cloned()
    }

    /// All containers, newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Container>> {
        self.read().by_age.values().rev().cloned().collect()
    }

    /// Takes `name` for the container `id` that is on its way.
    pub(crate) fn claim(&self, name: Name, id: Id) -> Result<NameClaim<'_>, Error> {
        let mut index = self.write();
        if let Some(by) = index.names.get(&name) {
            return Err(Error::NameTaken { name, by: *by });
        }
        index.names.insert(name.clone(), id);
        Ok(NameClaim { registry: self, name, kept: false })
    }

    /// Adds a container under the name that was claimed for it.
    pub(crate) fn add(&self, container: Arc<Container>, mut claim: NameClaim<'_>) {
        claim.kept = true;
        self.write().insert(container);
    }

    /// Adds a container that the store knew, with its name.
    pub(crate) fn restore(&self, container: Arc<Container>, name: Name) {
        let mut index = self.write();
        index.names.insert(name, container.id);
        index.insert(container);
    }

    /// Gives a container the name that was claimed; `old` is free after.
    pub(crate) fn rename(&self, old: &Name, mut claim: NameClaim<'_>) {
        claim.kept = true;
        self.write().names.remove(old);
    }

    /// Takes a container out, with its name and its links to and from others. Returns the parents that linked to it.
    pub(crate) fn remove(&self, container: &Container, name: &Name) -> Vec<Arc<Container>> {
        let mut index = self.write();
        let id = container.id;
        index.containers.remove(&id);
        index.by_age.remove(&(container.created, id));
        index.names.remove(name);
        let parents: Vec<Id> =
            index.links.iter().filter(|(_, child)| **child == id).map(|((parent, _), _)| *parent).collect();
        index.links.retain(|(parent, _), child| *parent != id && *child != id);
        parents.iter().filter_map(|parent| index.containers.get(parent).cloned()).collect()
    }

    /// Links `child` to `parent`; an alias that is taken keeps what it has.
    pub(crate) fn link(&self, parent: Id, alias: &str, child: Id) {
        self.write().links.entry((parent, alias.to_owned())).or_insert(child);
    }

    /// Takes the link away; tells whether there was one.
    pub(crate) fn unlink(&self, parent: Id, alias: &str) -> bool {
        self.write().links.remove(&(parent, alias.to_owned())).is_some()
    }

    /// Children of `parent` by alias.
    pub(crate) fn children(&self, parent: Id) -> Vec<(String, Arc<Container>)> {
        let index = self.read();
        index
            .links
            .range((parent, String::new())..)
            .take_while(|((of, _), _)| *of == parent)
            .filter_map(|((_, alias), child)| Some((alias.clone(), Arc::clone(index.containers.get(child)?))))
            .collect()
    }

    /// Parents of `child` with the alias they know it by.
    pub(crate) fn parents(&self, child: Id) -> Vec<(Arc<Container>, String)> {
        let index = self.read();
        index
            .links
            .iter()
            .filter(|(_, of)| **of == child)
            .filter_map(|((parent, alias), _)| Some((Arc::clone(index.containers.get(parent)?), alias.clone())))
            .collect()
    }

    /// Whether anyone links to anyone: most daemons have no links, and lists need not look for them.
    pub(crate) fn has_links(&self) -> bool {
        !self.read().links.is_empty()
    }
}

enum Prefix {
    None,
    One(Arc<Container>),
    Several,
}

impl Index {
    fn insert(&mut self, container: Arc<Container>) {
        self.by_age.insert((container.created, container.id), Arc::clone(&container));
        self.containers.insert(container.id, container);
    }

    /// By name, or by `parent/alias`.
    fn named(&self, reference: &str) -> Option<Arc<Container>> {
        let id = match reference.split_once('/') {
            None => self.names.get(reference),
            Some((parent, alias)) => self.links.get(&(*self.names.get(parent)?, alias.to_owned())),
        };
        self.containers.get(id?).cloned()
    }

    fn by_prefix(&self, prefix: &str) -> Prefix {
        let Some(from) = lowest_with(prefix) else { return Prefix::None };
        let mut found = self.containers.range(from..).take_while(|(id, _)| id.starts_with(prefix));
        match (found.next(), found.next()) {
            (None, _) => Prefix::None,
            (Some((_, container)), None) => Prefix::One(Arc::clone(container)),
            (Some(_), Some(_)) => Prefix::Several,
        }
    }
}

/// The first id that begins with `prefix`, if it is one of hex digits.
fn lowest_with(prefix: &str) -> Option<Id> {
    if prefix.len() > 64 { None } else { format!("{prefix:0<64}").parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_id_of_a_prefix_is_filled_with_zeros() {
        assert_eq!(lowest_with("ab").unwrap().to_string(), format!("ab{}", "0".repeat(62)));
        assert!(lowest_with("AB").is_none());
        assert!(lowest_with(&"a".repeat(65)).is_none());
    }
}
