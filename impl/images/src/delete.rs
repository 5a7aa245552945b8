//! Deleting images.

use crate::graph::{Graph, Node, Reference, Way, full_name};
use crate::store::{Change, find};
use crate::{Error, Images, Result};
use drydock_core::Id;
use std::collections::{BTreeMap, BTreeSet};

/// Delete what a reference names.
#[derive(Clone, Debug)]
pub struct Delete {
    /// A name or an id, as the client wrote it.
    pub reference: String,
    /// Images that stopped containers use, and those with several names.
    pub force: bool,
    /// Parents that nothing points to stay.
    pub keep_parents: bool,
    /// What daemons did differently.
    pub policy: DeletePolicy,
}

/// What daemons did differently when images are deleted.
#[derive(Clone, Debug)]
pub struct DeletePolicy {
    /// Containers are looked at before the tag goes, else only when the image would go (the tag is gone then).
    pub check_use_first: bool,
    /// Force by id takes the names of all repositories, else only those of the first.
    pub force_takes_all_repositories: bool,
    /// Where the parent is tagged in several repositories, that is told as an error, though the image is gone
    /// (`images.delete/all`, `other-in-use-none`).
    pub parent_in_several_repositories_refused: bool,
}

/// A container that was made from an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// The container.
    pub container: Id,
    /// The image it was made from.
    pub image: Id,
    /// It runs.
    pub running: bool,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// A name is gone: `repository:tag` or `repository@digest`. The image that it pointed to.
    Untagged(String, Id),
    /// An image is gone.
    Image(Id),
}

impl Images {
    /// Deletes the name, and the image if it was its last one and nothing was made from it, and then its parents as
    /// long as they are nobody's. `users`: all containers. It is asked while images can't change, and must not call
    /// back.
    ///
    /// # Errors
    /// Those of [`Images::find`], `SeveralRepositories`, `InUse`, `NothingDeleted`. The second and third also after
    /// something was deleted: as the policy and [`Error::InUse`] say.
    pub fn delete(&self, command: &Delete, users: &dyn Fn() -> Vec<User>) -> Result<Vec<Deleted>> {
        let mut writing = self.write();
        let (plan, refused) = {
            let graph = self.graph();
            let (node, way) = find(&graph, &command.reference)?;
            let users = users();
            Plan { graph: &graph, users: &users, command, changes: Vec::new(), done: Vec::new() }.make(node, way)?
        };
        let (changes, done) = plan;
        if !changes.is_empty() {
            writing.commit(&changes)?;
        }
        match refused {
            Some(error) => Err(error),
            None if done.is_empty() => Err(Error::NothingDeleted(command.reference.clone())),
            None => Ok(done),
        }
    }
}

struct Plan<'a> {
    graph: &'a Graph,
    users: &'a [User],
    command: &'a Delete,
    changes: Vec<Change>,
    done: Vec<Deleted>,
}

type Done = (Vec<Change>, Vec<Deleted>);

impl Plan<'_> {
    /// What is to be done, and the error that is to be told all the same once it is.
    fn make(mut self, node: &Node, way: Way) -> Result<(Done, Option<Error>)> {
        let id = node.image.id;
        let names: BTreeSet<(String, Reference)> = self.graph.names(id).cloned().collect();
        let by_id = way == Way::Id;
        let going = self.names_to_go(&names, way)?;
        let repositories = going.iter().map(|(repository, _)| repository).collect::<BTreeSet<_>>().len();
        // Where force takes one repository's names only, the image may keep others, and its users with them.
        let by_id = by_id && self.command.policy.force_takes_all_repositories;
        if self.command.policy.check_use_first && (names.len() <= 1 || (by_id && repositories <= 1)) {
            self.check_use(id, false)?;
        }
        for (repository, reference) in going.intersection(&names) {
            self.done.push(Deleted::Untagged(full_name(repository, reference), id));
            self.changes.push(Change::Untag(repository.clone(), reference.clone()));
        }
        let mut refused = None;
        if names.is_subset(&going) && self.graph.children(Some(id)).next().is_none() {
            // Also where it was looked at before: the check is the same, and where it was not, a running container keeps
            // its image.
            match self.check_use(id, !self.done.is_empty()) {
                Ok(()) => refused = self.remove_with_parents(node),
                Err(error) => refused = Some(error),
            }
        }
        Ok(((self.changes, self.done), refused))
    }

    fn names_to_go(&self, names: &BTreeSet<(String, Reference)>, way: Way) -> Result<BTreeSet<(String, Reference)>> {
        if let Way::Name(repository, reference) = way {
            return Ok(BTreeSet::from([(repository, reference)]));
        }
        let mut repositories: BTreeMap<&str, BTreeSet<(String, Reference)>> = BTreeMap::new();
        for name in names {
            repositories.entry(&name.0).or_default().insert(name.clone());
        }
        if repositories.len() > 1 && !self.command.force {
            return Err(Error::SeveralRepositories { reference: self.command.reference.clone() });
        }
        Ok(if self.command.policy.force_takes_all_repositories {
            names.clone()
        } else {
            repositories.into_values().next().unwrap_or_default()
        })
    }

    /// Whether a container was made from the image or from what was made from it.
    fn check_use(&self, image: Id, untagged: bool) -> Result<()> {
        let forced = self.command.force;
        let uses = |user: &&User| {
            (user.running || !forced) && self.graph.ancestry(user.image).any(|node| node.image.id == image)
        };
        match self.users.iter().find(uses) {
            Some(User { container, running, .. }) => {
                Err(Error::InUse { image, container: *container, running: *running, forced, untagged })
            }
            None => Ok(()),
        }
    }

    /// Removes the image, and its parents as long as they are nobody's. As with the genuine daemons, why the direct
    /// parent stays is told as an error, though the image is gone (`dangling-1`); of those above nothing is said.
    fn remove_with_parents(&mut self, node: &Node) -> Option<Error> {
        let mut next = Some(node);
        let mut refused = None;
        while let Some(node) = next {
            let id = node.image.id;
            self.done.push(Deleted::Image(id));
            self.changes.push(Change::Remove(id));
            let parent = node.image.parent.filter(|_| !self.command.keep_parents);
            let Some(parent) = parent.and_then(|parent| self.graph.get(parent)) else { break };
            match self.check_parent(parent.image.id, id) {
                Ok(goes) => next = goes.then_some(&**parent),
                Err(error) => {
                    if self.done.iter().filter(|done| matches!(done, Deleted::Image(_))).count() == 1 {
                        refused = Some(error);
                    }
                    break;
                }
            }
        }
        refused
    }

    /// Whether a parent goes with its child, in the genuine daemons' order of checks.
    fn check_parent(&self, parent: Id, child: Id) -> Result<bool> {
        let policy = &self.command.policy;
        let repositories: BTreeSet<&str> =
            self.graph.names(parent).map(|(repository, _)| repository.as_str()).collect();
        if repositories.len() > 1 && !self.command.force && policy.parent_in_several_repositories_refused {
            return Err(Error::SeveralRepositories { reference: parent.to_string() });
        }
        if !repositories.is_empty() {
            return Ok(false);
        }
        let alone = self.graph.children(Some(parent)).all(|other| other == child);
        if policy.check_use_first || alone {
            self.check_use(parent, false)?;
        }
        Ok(alone)
    }
}
