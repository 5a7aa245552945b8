//! A guest on somebody's daemon: knows what was there before, and leaves nothing behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use crate::{
    exchange::{Address, Client, Limits, Request},
    recorded::{
        Image, Made,
        registry::{Registry, RegistryError},
    },
};

/// What was there before, and how to be gone again.
pub(super) struct Manners<'c> {
    client: &'c Client,
    before: Snapshot,
}

/// What a daemon has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Snapshot {
    /// Names of containers by id.
    containers: BTreeMap<String, String>,
    /// Ids of images, as far as they are told, by container.
    images_of: BTreeMap<String, String>,
    /// Image ids by tag.
    tags: BTreeMap<String, String>,
    /// All image ids.
    images: BTreeSet<String>,
    /// Parents of images.
    parents: BTreeMap<String, String>,
}

impl<'c> Manners<'c> {
    /// Looks at what is there.
    pub(super) fn begin(client: &'c Client) -> Result<Self, String> {
        Ok(Self { client, before: Snapshot::take(client)? })
    }

    /// Brings the suite's image, through the daemon's API. A daemon that no longer reads archives of these versions
    /// gets its file system imported.
    pub(super) fn load_image(&self, image: &Image) -> Result<(), String> {
        let slowly = Limits::default().within(Duration::from_secs(60));
        let is_there = || self.client.send(Request::new("GET", "/images/busybox/json")).status() == Some(200);
        let load = Request::new("POST", "/images/load").content("application/x-tar", image.archive.clone());
        let loaded = self.client.send_within(load, slowly);
        if loaded.status() == Some(200) && is_there() {
            return Ok(());
        }
        let import = Request::new("POST", "/images/create?fromSrc=-&repo=busybox&tag=latest");
        let import = import.content("application/x-tar", image.layer.clone());
        let imported = self.client.send_within(import, slowly);
        if imported.status() == Some(200) && is_there() {
            return Ok(());
        }
        Err(format!("loading the suite's image: {}importing it: {}", loaded.show_answer(), imported.show_answer()))
    }

    /// The suite's registry where the daemon will look for it: on the loopback of its own network namespace.
    pub(super) fn registry(&self) -> Result<Registry, RegistryError> {
        match self.client.address() {
            Address::Unix(path) => Registry::beside_socket(path),
            Address::Tcp(host) if host.starts_with("127.") || host.starts_with("localhost:") => Registry::here(),
            Address::Tcp(_) => Err(RegistryError::Elsewhere),
        }
    }

    /// Removes containers that a part of the run made.
    pub(super) fn remove_containers(&self, ids: &[String]) {
        for id in ids.iter().filter(|id| !self.before.containers.contains_key(*id)) {
            let path = format!("/containers/{id}");
            if self.client.send(Request::new("GET", format!("{path}/json"))).status() == Some(404) {
                continue;
            }
            // A paused container cannot be removed, not even by force, by some daemons.
            if self.client.send(Request::new("DELETE", format!("{path}?force=1&v=1"))).status() != Some(204) {
                self.client.send(Request::new("POST", format!("{path}/unpause")));
                self.client.send(Request::new("DELETE", format!("{path}?force=1&v=1")));
            }
        }
    }

    /// Removes what is left, puts back tags that the run's image took, and tells what differs from before.
    pub(super) fn end(&self, run: &str, made: &Made) -> Vec<String> {
        let Ok(now) = Snapshot::take(self.client) else {
            return vec!["the target no longer answers, so what the run left there is unknown".to_owned()];
        };
        let images = self.images_of_run(&now, made);
        // By name, or made of an image of the run, as what builds leave.
        let is_ours = |id: &String, name: &String| {
            name.contains(run) || now.images_of.get(id).is_some_and(|id| images.contains(id))
        };
        let ours: Vec<String> =
            now.containers.iter().filter(|(id, name)| is_ours(id, name)).map(|(id, _)| id.clone()).collect();
        self.remove_containers(&ours);
        for (tag, id) in now.tags.iter().filter(|(tag, _)| !self.before.tags.contains_key(*tag)) {
            if images.contains(id) || made.tags.contains(tag) {
                self.client.send(Request::new("DELETE", format!("/images/{tag}?force=1")));
            }
        }
        for (tag, id) in self.before.tags.iter().filter(|(tag, id)| now.tags.get(*tag) != Some(*id)) {
            let (repository, label) = tag.rsplit_once(':').unwrap_or((tag, "latest"));
            let target = format!("/images/{id}/tag?repo={repository}&tag={label}&force=1");
            self.client.send(Request::new("POST", target));
        }
        // Children go before their parents, so it takes as many rounds as there are layers.
        for _ in 0..40 {
            let Ok(now) = Snapshot::take(self.client) else { break };
            let left = images.iter().filter(|id| now.images.contains(*id));
            let removed = left.filter(|id| {
                let gone = self.client.send(Request::new("DELETE", format!("/images/{id}?force=1")));
                gone.status() == Some(200)
            });
            if removed.count() == 0 {
                break;
            }
        }
        self.differences()
    }

    /// The images that came with the run: brought or made by it, or built on one that was. Others may pull and build
    /// at the same time: theirs are none of these.
    fn images_of_run(&self, now: &Snapshot, made: &Made) -> BTreeSet<String> {
        let is_new = |id: &&String| !self.before.images.contains(*id);
        let bare = |id: &str| id.strip_prefix("sha256:").unwrap_or(id).to_owned();
        let is_named = |id: &&String| {
            made.images.contains(&bare(id))
                || now.tags.iter().any(|(tag, of)| of == *id && (tag == "busybox:latest" || made.tags.contains(tag)))
        };
        let mut ours: BTreeSet<String> = now.images.iter().filter(is_new).filter(is_named).cloned().collect();
        loop {
            let child = |id: &&String| now.parents.get(*id).is_some_and(|parent| ours.contains(parent));
            let parent = |id: &&String| ours.iter().any(|child| now.parents.get(child) == Some(*id));
            let related: Vec<String> = now
                .images
                .iter()
                .filter(is_new)
                .filter(|id| !ours.contains(*id) && (child(id) || parent(id)))
                .cloned()
                .collect();
            if related.is_empty() {
                return ours;
            }
            ours.extend(related);
        }
    }

    fn differences(&self) -> Vec<String> {
        let Ok(now) = Snapshot::take(self.client) else {
            return vec!["the target no longer answers, so what the run left there is unknown".to_owned()];
        };
        let mut found = Vec::new();
        let since = |what: String| format!("new or gone since the run began, by the run or by others: {what}");
        for (id, name) in now.containers.iter().filter(|(id, _)| !self.before.containers.contains_key(*id)) {
            found.push(since(format!("container {name} ({id})")));
        }
        for (id, name) in self.before.containers.iter().filter(|(id, _)| !now.containers.contains_key(*id)) {
            found.push(since(format!("container {name} ({id})")));
        }
        for id in now.images.symmetric_difference(&self.before.images) {
            found.push(since(format!("image {id}")));
        }
        for (tag, _) in self.before.tags.iter().filter(|(tag, id)| now.tags.get(*tag) != Some(*id)) {
            found.push(since(format!("tag {tag}")));
        }
        if found.is_empty() {
            found.push("the target has the same containers, images and tags as before the run".to_owned());
        }
        found
    }
}

impl Snapshot {
    fn take(client: &Client) -> Result<Self, String> {
        let list = |target: &str| -> Result<Vec<Value>, String> {
            let exchange = client.send(Request::new("GET", target));
            let response = exchange.answer.as_ref().map_err(ToString::to_string)?;
            match response.json() {
                Some(Value::Array(items)) if response.status == 200 => Ok(items),
                Some(Value::Null) if response.status == 200 => Ok(Vec::new()),
                _ => Err(format!("GET {target}: {}", exchange.show_answer())),
            }
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut snapshot = Self::default();
        for image in list("/images/json?all=1")? {
            let id = text(&image["Id"]);
            for tag in image["RepoTags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if tag != "<none>:<none>" {
                    snapshot.tags.insert(tag.to_owned(), id.clone());
                }
            }
            snapshot.parents.insert(id.clone(), text(&image["ParentId"]));
            snapshot.images.insert(id);
        }
        for container in list("/containers/json?all=1")? {
            let id = text(&container["Id"]);
            let names = container["Names"].as_array().cloned().unwrap_or_default();
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            snapshot.containers.insert(id.clone(), names.join(" "));
            // Newer daemons tell the image's id; older ones the name or the beginning of the id.
            let image = container["ImageID"].as_str().or(container["Image"].as_str()).unwrap_or_default();
            let tag = if image.contains(':') { image.to_owned() } else { format!("{image}:latest") };
            let known = snapshot.images.iter().find(|id| id.trim_start_matches("sha256:").starts_with(image));
            if let Some(image) =
                snapshot.tags.get(&tag).or(snapshot.images.get(image)).or(known.filter(|_| image.len() >= 12))
            {
                snapshot.images_of.insert(id, image.clone());
            }
        }
        Ok(snapshot)
    }
}
