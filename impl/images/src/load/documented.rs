//! The documented form: a directory per image, named by its id, with `json` and `layer.tar`; `repositories`.

use super::contents::Contents;
use super::{Found, Source};
use crate::{Error, Result, file};
use drydock_core::Id;
use drydock_layers::LayerId;
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) fn gather(contents: &mut Contents, found: &mut Found<'_>) -> Result<()> {
    let names: BTreeSet<String> = contents.documented().map(str::to_owned).collect();
    for name in &names {
        // From the image up to an ancestor that is here, then down again: parents come first.
        let mut lacking = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(name.clone());
        while let Some(name) = next.filter(|name| !name.parse::<Id>().is_ok_and(|id| found.has(id))) {
            let path = format!("{name}/json");
            let text = contents.needed(&path)?;
            let image = file::read(&path, text)?;
            if image.id.to_string() != name {
                return Err(Error::ArchiveId(name));
            }
            if !seen.insert(image.id) {
                return Err(Error::ArchiveLoop(image.id));
            }
            next = image.parent.map(|parent| parent.to_string());
            lacking.push((image, text.to_vec()));
        }
        for (image, text) in lacking.into_iter().rev() {
            let path = format!("{}/layer.tar", image.id);
            let (source, _) = contents.layer(&path)?;
            let id = image.id;
            let shared = matches!(source, Source::Unpacked(_));
            found.add(image, text, source, LayerId(id))?;
            if let (true, Some(layer)) = (shared, found.layer(id)) {
                contents.became(&path, &layer);
            }
        }
    }
    let Some(text) = contents.text("repositories") else { return Ok(()) };
    let failed = |source| Error::ArchiveJson { path: "repositories".into(), source };
    let repositories: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_slice(text).map_err(failed)?;
    for (repository, tags) in repositories {
        for (tag, id) in tags {
            let id = id.parse().map_err(|_| Error::ArchiveId(id))?;
            found.tag(&repository, &tag, id)?;
        }
    }
    Ok(())
}
