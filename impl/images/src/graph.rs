//! Images and names in memory: what every reader reads.

use crate::image::{Image, Inspection};
use drydock_core::{Id, ImageReference, Selector};
use drydock_layers::{Chain, Layer};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// An image with what readers of the store never see.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) image: Arc<Image>,
    /// Its file, byte for byte: archives carry it on.
    pub(crate) file: Vec<u8>,
    /// Held and retained as long as the image is here.
    pub(crate) layer: Option<Layer>,
}

/// A tag or digest.
pub(crate) type Reference = String;

/// All images and all names.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    images: BTreeMap<Id, Arc<Node>>,
    children: HashMap<Option<Id>, BTreeSet<Id>>,
    repositories: BTreeMap<String, BTreeMap<Reference, Id>>,
    names: HashMap<Id, BTreeSet<(String, Reference)>>,
}

/// Why a reference names no one image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfound {
    Empty,
    Nothing,
    /// The repository is there, what is selected in it is not.
    NotInRepository(String, Reference),
    Ambiguous,
}

/// How a reference names an image.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Name(String, Reference),
    Id,
}

impl Graph {
    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Arc<Node>> {
        self.images.get(&id)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.images.values()
    }

    pub(crate) fn children(&self, parent: Option<Id>) -> impl Iterator<Item = Id> {
        self.children.get(&parent).into_iter().flatten().copied()
    }

    pub(crate) fn repositories(&self) -> &BTreeMap<String, BTreeMap<Reference, Id>> {
        &self.repositories
    }

    /// Names of an image, sorted: repository, and tag or digest.
    pub(crate) fn names(&self, id: Id) -> impl Iterator<Item = &(String, Reference)> {
        self.names.get(&id).into_iter().flatten()
    }

    pub(crate) fn pointed_to(&self, repository: &str, reference: &str) -> Option<Id> {
        self.repositories.get(repository)?.get(reference).copied()
    }

    pub(crate) fn insert(&mut self, node: Arc<Node>) {
        self.children.entry(node.image.parent).or_default().insert(node.image.id);
        self.images.insert(node.image.id, node);
    }

    pub(crate) fn remove(&mut self, id: Id) -> Option<Arc<Node>> {
        let node = self.images.remove(&id)?;
        if let Some(children) = self.children.get_mut(&node.image.parent) {
            children.remove(&id);
            if children.is_empty() {
                self.children.remove(&node.image.parent);
            }
        }
        Some(node)
    }

    pub(crate) fn tag(&mut self, repository: &str, reference: &str, id: Id) {
        self.untag(repository, reference);
        self.repositories.entry(repository.to_owned()).or_default().insert(reference.to_owned(), id);
        self.names.entry(id).or_default().insert((repository.to_owned(), reference.to_owned()));
    }

    pub(crate) fn untag(&mut self, repository: &str, reference: &str) {
        let Some(references) = self.repositories.get_mut(repository) else { return };
        let Some(id) = references.remove(reference) else { return };
        if references.is_empty() {
            self.repositories.remove(repository);
        }
        if let Some(names) = self.names.get_mut(&id) {
            names.remove(&(repository.to_owned(), reference.to_owned()));
            if names.is_empty() {
                self.names.remove(&id);
            }
        }
    }

    /// Finds what `reference` names: a name comes before an id.
    pub(crate) fn find(&self, reference: &str) -> Result<(&Arc<Node>, Way), Unfound> {
        let split = ImageReference::split(reference);
        let repository = local_name(&split.repository);
        let selected = match &split.selector {
            None => ImageReference::DEFAULT_TAG,
            Some(Selector::Tag(text) | Selector::Digest(text)) => text,
        };
        if let Some(references) = self.repositories.get(repository) {
            let named = references.get(selected).and_then(|id| self.images.get(id));
            if let Some(node) = named {
                return Ok((node, Way::Name(repository.to_owned(), selected.to_owned())));
            }
            // `repository:short-id` names an image of the repository.
            if looks_like_short_id(selected)
                && let Some(id) = references.values().find(|id| id.starts_with(selected))
                && let Some(node) = self.images.get(id)
            {
                return Ok((node, Way::Name(repository.to_owned(), selected.to_owned())));
            }
        }
        match self.with_prefix(reference) {
            Ok(node) => Ok((node, Way::Id)),
            Err(Unfound::Nothing) if self.repositories.contains_key(repository) => {
                Err(Unfound::NotInRepository(split.repository.clone(), selected.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn with_prefix(&self, prefix: &str) -> Result<&Arc<Node>, Unfound> {
        if prefix.is_empty() {
            return Err(Unfound::Empty);
        }
        let lowest = format!("{prefix:0<64}").parse::<Id>().map_err(|_| Unfound::Nothing)?;
        let mut found = self.images.range(lowest..).take_while(|(id, _)| id.starts_with(prefix));
        match (found.next(), found.next()) {
            (None, _) => Err(Unfound::Nothing),
            (Some((_, node)), None) => Ok(node),
            (Some(_), Some(_)) => Err(Unfound::Ambiguous),
        }
    }

    /// The image and its ancestors, the youngest first.
    pub(crate) fn ancestry(&self, id: Id) -> impl Iterator<Item = &Arc<Node>> {
        std::iter::successors(self.images.get(&id), |node| self.images.get(&node.image.parent?))
    }

    pub(crate) fn chain(&self, id: Id) -> Chain {
        let mut layers: Vec<Layer> = self.ancestry(id).filter_map(|node| node.layer.clone()).collect();
        layers.reverse();
        Chain::new(layers)
    }

    /// What is known of an image, with the names of repositories that `shown` takes.
    pub(crate) fn inspect(&self, node: &Node, shown: impl Fn(&str) -> bool) -> Inspection {
        let (mut repo_tags, mut repo_digests) = (Vec::new(), Vec::new());
        for (repository, reference) in self.names(node.image.id).filter(|(repository, _)| shown(repository)) {
            let list = if is_digest(reference) { &mut repo_digests } else { &mut repo_tags };
            list.push(full_name(repository, reference));
        }
        let (mut virtual_size, mut virtual_link_size) = (0, 0);
        for ancestor in self.ancestry(node.image.id) {
            virtual_size += ancestor.image.size;
            virtual_link_size += ancestor.image.link_size;
        }
        Inspection { image: Arc::clone(&node.image), virtual_size, virtual_link_size, repo_tags, repo_digests }
    }
}

/// A repository's name without what means the same left out: names of the official index.
pub(crate) fn local_name(repository: &str) -> &str {
    let short = repository.strip_prefix("index.docker.io/").or_else(|| repository.strip_prefix("docker.io/"));
    let name = short.unwrap_or(repository);
    match name.strip_prefix("library/") {
        Some(official) if !official.is_empty() && !official.contains('/') => official,
        _ => name,
    }
}

/// Digests hold a colon, which no tag may.
pub(crate) fn is_digest(reference: &str) -> bool {
    reference.contains(':')
}

/// `repository:tag` or `repository@digest`.
pub(crate) fn full_name(repository: &str, reference: &str) -> String {
    format!("{repository}{}{reference}", if is_digest(reference) { '@' } else { ':' })
}

fn looks_like_short_id(text: &str) -> bool {
    text.len() >= Id::SHORT && text.bytes().all(|digit| digit.is_ascii_digit() || matches!(digit, b'a'..=b'f'))
}
