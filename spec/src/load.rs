//! Reading the spec's files, embedded or from a folder.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{LazyLock, OnceLock},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_path_to_error::Segment;

use crate::{
    embedded::{Behaviour, EndpointId, FILES},
    model::{BehaviourEntry, Endpoint, Outcome, Ruling, Schema, SharedOutcome},
    route::Routes,
};

/// The whole description: every endpoint in every version.
#[derive(Debug, Default)]
pub struct Spec {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) types: BTreeMap<String, Schema>,
    pub(crate) front: Vec<Outcome>,
    pub(crate) behaviours: Vec<BehaviourEntry>,
    pub(crate) rulings: Vec<Ruling>,
    routes: OnceLock<Routes>,
}

/// Something wrong in a file of the spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}#{pointer}: {message}")]
pub struct Problem {
    /// The file's name below the spec's folder.
    pub file: String,
    /// JSON pointer into it; empty for the file as a whole. For a table the line's number.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(file: impl Into<String>, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), pointer: pointer.into(), message: message.into() }
    }
}

/// Why a folder could not be read as a spec.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or the folder cannot be read.
    #[error("reading {path}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Files that say something which the format does not allow, all of them.
    #[error("{}", .0.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
}

impl Spec {
    /// The spec that this crate was built with.
    ///
    /// # Panics
    /// If the embedded files are malformed: `spec check` and this crate's tests refuse such a build.
    pub fn embedded() -> &'static Spec {
        static SPEC: LazyLock<Spec> = LazyLock::new(|| {
            Spec::from_files(FILES.iter().copied()).unwrap_or_else(|problems| panic!("{}", Error::Problems(problems)))
        });
        &SPEC
    }

    /// Reads the spec from a folder laid out as `spec/` is, so that an edit can be checked without a build.
    pub fn from_dir(root: &Path) -> Result<Spec, Error> {
        let mut files = Vec::new();
        for folder in ["endpoints", "types"] {
            let path = root.join(folder);
            let entries = fs::read_dir(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
            for entry in entries {
                let name = entry.map_err(|source| Error::Io { path: path.clone(), source })?.file_name();
                if let Some(name) = name.to_str().filter(|name| name.ends_with(".json")) {
                    files.push(format!("{folder}/{name}"));
                }
            }
        }
        files.extend(["front.json", "outcomes.json", "behaviours.json", "rulings.json"].map(str::to_owned));
        files.sort();
        let mut texts = Vec::new();
        for name in files {
            let path = root.join(&name);
            let text = fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
            texts.push((name, text));
        }
        Spec::from_files(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).map_err(Error::Problems)
    }

    /// Reads the spec from names and texts.
    pub fn from_files<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Spec, Vec<Problem>> {
        let mut spec = Spec::default();
        let mut shared = BTreeMap::new();
        let mut problems = Vec::new();
        for (file, text) in files {
            if let Err(problem) = spec.read(file, text, &mut shared) {
                problems.push(problem);
            }
        }
        spec.endpoints.sort_by(|a, b| a.id.cmp(&b.id));
        spec.behaviours.sort_by(|a, b| a.name.cmp(&b.name));
        for endpoint in &mut spec.endpoints {
            let file = format!("endpoints/{}.json", endpoint.id);
            resolve(&file, &mut endpoint.outcomes, &shared, &mut problems);
        }
        resolve("front.json", &mut spec.front, &shared, &mut problems);
        if problems.is_empty() { Ok(spec) } else { Err(problems) }
    }

    fn read(&mut self, file: &str, text: &str, shared: &mut BTreeMap<String, SharedOutcome>) -> Result<(), Problem> {
        if let Some(stem) = file.strip_prefix("endpoints/").and_then(|name| name.strip_suffix(".json")) {
            let endpoint: Endpoint = parse(file, text)?;
            if endpoint.id != stem {
                return Err(Problem::new(
                    file,
                    "/id",
                    format!("is {:?}, and the file's name says {stem:?}", endpoint.id),
                ));
            }
            self.endpoints.push(endpoint);
        } else if let Some(stem) = file.strip_prefix("types/").and_then(|name| name.strip_suffix(".json")) {
            self.types.insert(stem.to_owned(), parse(file, text)?);
        } else {
            match file {
                "front.json" => {
                    #[derive(Deserialize)]
                    #[serde(deny_unknown_fields)]
                    struct Front {
                        outcomes: Vec<Outcome>,
                    }
                    self.front = parse::<Front>(file, text)?.outcomes;
                }
                "outcomes.json" => *shared = parse(file, text)?,
                "behaviours.json" => self.behaviours = parse(file, text)?,
                "rulings.json" => self.rulings = parse(file, text)?,
                _ => return Err(Problem::new(file, "", "is no file of a spec")),
            }
        }
        Ok(())
    }

    /// Every endpoint, ordered by id.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// An endpoint by its id as text.
    pub fn find(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints
            .binary_search_by(|endpoint| endpoint.id.as_str().cmp(id))
            .ok()
            .map(|index| &self.endpoints[index])
    }

    /// An endpoint of the embedded spec.
    ///
    /// # Panics
    /// On a spec from a folder that lacks a file this crate was built with.
    pub fn endpoint(&self, id: EndpointId) -> &Endpoint {
        self.find(id.id()).unwrap_or_else(|| panic!("the spec has no endpoint {}", id.id()))
    }

    /// The endpoints of each version by method and path.
    pub fn routes(&self) -> &Routes {
        self.routes.get_or_init(|| Routes::new(self))
    }

    /// A shared type.
    pub fn type_named(&self, name: &str) -> Option<&Schema> {
        self.types.get(name)
    }

    /// The shared types by name.
    pub fn types(&self) -> impl Iterator<Item = (&str, &Schema)> {
        self.types.iter().map(|(name, schema)| (name.as_str(), schema))
    }

    /// What can come of any request, before and beside its endpoint.
    pub fn front(&self) -> &[Outcome] {
        &self.front
    }

    /// The named differences.
    pub fn behaviours(&self) -> &[BehaviourEntry] {
        &self.behaviours
    }

    /// An entry of the embedded spec.
    ///
    /// # Panics
    /// On a spec from a folder that lacks an entry this crate was built with.
    pub fn behaviour(&self, behaviour: Behaviour) -> &BehaviourEntry {
        let index = self.behaviours.binary_search_by(|entry| entry.name.as_str().cmp(behaviour.id()));
        index
            .map(|index| &self.behaviours[index])
            .unwrap_or_else(|_| panic!("the spec has no behaviour {}", behaviour.id()))
    }

    /// The decisions against recordings and documents.
    pub fn rulings(&self) -> &[Ruling] {
        &self.rulings
    }
}

/// Puts the shared outcomes where they are used.
fn resolve(
    file: &str,
    outcomes: &mut [Outcome],
    shared: &BTreeMap<String, SharedOutcome>,
    problems: &mut Vec<Problem>,
) {
    for (index, outcome) in outcomes.iter_mut().enumerate() {
        let Some(name) = &outcome.shared else { continue };
        match shared.get(name) {
            None => problems.push(Problem::new(
                file,
                format!("/outcomes/{index}/use"),
                format!("no outcome {name:?} in outcomes.json"),
            )),
            Some(_) if !outcome.by.is_empty() => {
                problems.push(Problem::new(
                    file,
                    format!("/outcomes/{index}/by"),
                    "an outcome has either `use` or `by`",
                ));
            }
            Some(shared) => {
                if outcome.when.0.is_empty() {
                    outcome.when = shared.when.clone();
                }
                outcome.by = shared.by.clone();
            }
        }
    }
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer += &format!("/{index}"),
                Segment::Map { key } => pointer += &format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                Segment::Enum { variant } => pointer += &format!("/{variant}"),
                Segment::Unknown => {}
            }
        }
        Problem::new(file, pointer, error.into_inner().to_string())
    })?;
    json.end().map_err(|error| Problem::new(file, "", error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Spec::from_files([("endpoints/a.b.json", text)].into_iter()).unwrap_err()[0].to_string()
    }

    #[test]
    fn a_problem_names_file_and_pointer() {
        let outcome =
            |by: &str| format!(r#"{{"id":"a.b","method":"GET","path":"/a","outcomes":[{{"id":"x","by":[{by}]}}]}}"#);
        for (text, expected) in [
            (
                outcome(r#"{"status": 200, "versions": ["1.18", "1.15"]}"#),
                "endpoints/a.b.json#/outcomes/0/by/0/versions: the range is empty",
            ),
            (outcome(r#"{"status": 9}"#), "endpoints/a.b.json#/outcomes/0/by/0/status: 9 is no HTTP status"),
            (
                outcome(r#"{"status": 200, "texd": ""}"#),
                "endpoints/a.b.json#/outcomes/0/by/0/texd: unknown field `texd`",
            ),
            (
                outcome(r#"{"status": 200, "schema": {"type": "object", "properties": {"A": {"type": "strin"}}}}"#),
                "endpoints/a.b.json#/outcomes/0/by/0/schema/properties/A/type: unknown variant `strin`",
            ),
            (
                outcome(r#"{"status": 404, "text": "{"}"#),
                "endpoints/a.b.json#/outcomes/0/by/0/text: in the text \"{\" a brace",
            ),
            (
                r#"{"id":"a.c","method":"GET","path":"/a","outcomes":[]}"#.to_owned(),
                "endpoints/a.b.json#/id: is \"a.c\"",
            ),
            (
                r#"{"id":"a.b","method":"GET","path":"/a","outcomes":[{"id":"x","use":"y"}]}"#.to_owned(),
                "endpoints/a.b.json#/outcomes/0/use: no outcome \"y\"",
            ),
        ] {
            assert!(problem(&text).starts_with(expected), "{}\n{expected}", problem(&text));
        }
    }
}
