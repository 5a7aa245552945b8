//! The documents' statements, and where the spec binds them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use crate::{
    load::{Problem, Spec},
    model::{Answer, ClauseId, Outcome, Parameter, Schema},
    version::{VERSIONS, Version},
};

/// The table that this crate was built with.
const TABLE: &str = include_str!("../clauses.tsv");
const PENDING: &str = include_str!("../pending.tsv");
const UNTESTABLE: &str = include_str!("../untestable.tsv");

/// A statement of the documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Its id, e.g. `api.containers.rename.004`.
    pub id: ClauseId,
    /// The document and the line it stands in.
    pub source: (String, u32),
    /// Method and path, the section's name, or `-`.
    pub endpoint: String,
    /// The versions for which it is said; all where the document has none.
    pub versions: Vec<Version>,
    /// What kind of statement.
    pub kind: Kind,
    /// The statement.
    pub text: String,
}

/// Kinds of statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Behaviour.
    Must,
    /// A field or literal.
    Value,
    /// A success status.
    Status,
    /// A failure.
    Error,
    /// A default.
    Default,
    /// A rule of streams or hijacking.
    Stream,
    /// An example.
    Example,
    /// No test needed.
    Info,
    /// The documents disagree.
    Conflict,
}

impl Clause {
    /// Whether it needs a test: `info` does not, nor does what only versions before 1.14 had.
    pub fn needs_test(&self) -> bool {
        self.kind != Kind::Info && !self.versions.is_empty()
    }

    /// The part of the id before its number: `api.containers.rename`.
    pub fn topic(&self) -> &str {
        self.id.rsplit_once('.').map_or(&self.id, |(topic, _)| topic)
    }
}

/// The clauses that this crate was built with, in the table's order.
///
/// # Panics
/// If the embedded table is malformed: this crate's tests refuse such a build.
pub fn embedded() -> &'static [Clause] {
    static CLAUSES: LazyLock<Vec<Clause>> = LazyLock::new(|| parse(TABLE).expect("the embedded table is well-formed"));
    &CLAUSES
}

/// Clauses that nothing binds yet, with the topic that will.
pub fn pending() -> BTreeMap<&'static str, &'static str> {
    pairs(PENDING)
}

/// Clauses that no one can test, with the reason.
pub fn untestable() -> BTreeMap<&'static str, &'static str> {
    pairs(UNTESTABLE)
}

fn pairs(table: &'static str) -> BTreeMap<&'static str, &'static str> {
    table.lines().skip(1).filter_map(|line| line.split_once('\t')).collect()
}

/// Reads the table.
pub fn parse(table: &str) -> Result<Vec<Clause>, Problem> {
    table
        .lines()
        .enumerate()
        .skip(1)
        .map(|(index, line)| {
            row(line).ok_or_else(|| {
                Problem::new(
                    "clauses.tsv",
                    (index + 1).to_string(),
                    "is no row of id, file, line, endpoint, versions, kind, text",
                )
            })
        })
        .collect()
}

fn row(line: &str) -> Option<Clause> {
    let mut columns = line.split('\t');
    let clause = Clause {
        id: columns.next()?.to_owned(),
        source: (columns.next()?.to_owned(), columns.next()?.parse().ok()?),
        endpoint: columns.next()?.to_owned(),
        versions: versions(columns.next()?)?,
        kind: kind(columns.next()?)?,
        text: columns.next()?.to_owned(),
    };
    columns.next().is_none().then_some(clause)
}

/// `1.14-1.19`, `1.17`, a comma list of these, `1.18+`, `all`. Versions before 1.14 fall away.
fn versions(text: &str) -> Option<Vec<Version>> {
    if text == "all" {
        return Some(VERSIONS.to_vec());
    }
    let minor = |text: &str| text.strip_prefix("1.")?.parse::<u8>().ok();
    let mut wanted = BTreeSet::new();
    for part in text.split(',') {
        let (from, to) = match (part.strip_suffix('+'), part.split_once('-')) {
            (Some(from), _) => (minor(from)?, u8::MAX),
            (None, Some((from, to))) => (minor(from)?, minor(to)?),
            (None, None) => (minor(part)?, minor(part)?),
        };
        wanted.extend(VERSIONS.into_iter().filter(|version| (from..=to).contains(&version.minor())));
    }
    Some(wanted.into_iter().collect())
}

fn kind(text: &str) -> Option<Kind> {
    Some(match text {
        "must" => Kind::Must,
        "value" => Kind::Value,
        "status" => Kind::Status,
        "error" => Kind::Error,
        "default" => Kind::Default,
        "stream" => Kind::Stream,
        "example" => Kind::Example,
        "info" => Kind::Info,
        "conflict" => Kind::Conflict,
        _ => return None,
    })
}

/// A place in the spec that binds a clause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The file: `endpoints/containers.rename.json`.
    pub file: String,
    /// JSON pointer into it.
    pub pointer: String,
}

impl Spec {
    /// Where the spec binds which clause. A clause may be bound in several places.
    pub fn bindings(&self) -> BTreeMap<ClauseId, Vec<Binding>> {
        let mut all = Collect::default();
        for endpoint in self.endpoints() {
            all.file = format!("endpoints/{}.json", endpoint.id);
            all.bind("", &endpoint.clauses);
            all.parameters("/query", &endpoint.query);
            all.parameters("/headers", &endpoint.headers);
            for (index, body) in endpoint.body.iter().enumerate() {
                let at = format!("/body/{index}");
                all.bind(&at, &body.clauses);
                all.schema_at(&format!("{at}/schema"), body.schema.as_ref());
            }
            all.outcomes(&endpoint.outcomes);
        }
        all.file = "front.json".to_owned();
        all.outcomes(self.front());
        for (name, schema) in self.types() {
            all.file = format!("types/{name}.json");
            all.schema("", schema);
        }
        all.file = "behaviours.json".to_owned();
        for (index, behaviour) in self.behaviours().iter().enumerate() {
            all.bind(&format!("/{index}"), &behaviour.clauses);
        }
        all.file = "rulings.json".to_owned();
        for (index, ruling) in self.rulings().iter().enumerate() {
            all.bind(&format!("/{index}"), &ruling.clauses);
        }
        all.found
    }
}

#[derive(Default)]
struct Collect {
    file: String,
    found: BTreeMap<ClauseId, Vec<Binding>>,
}

impl Collect {
    fn bind(&mut self, pointer: &str, clauses: &[ClauseId]) {
        for clause in clauses {
            self.found
                .entry(clause.clone())
                .or_default()
                .push(Binding { file: self.file.clone(), pointer: pointer.to_owned() });
        }
    }

    fn parameters(&mut self, at: &str, parameters: &[Parameter]) {
        for (index, parameter) in parameters.iter().enumerate() {
            self.bind(&format!("{at}/{index}"), &parameter.clauses);
            for (key, filter) in parameter.keys.iter().enumerate() {
                self.bind(&format!("{at}/{index}/keys/{key}"), &filter.clauses);
            }
        }
    }

    fn outcomes(&mut self, outcomes: &[Outcome]) {
        for (index, outcome) in outcomes.iter().enumerate() {
            self.bind(&format!("/outcomes/{index}"), &outcome.clauses);
            for (by, answer) in outcome.by.iter().enumerate() {
                self.answer(&format!("/outcomes/{index}/by/{by}"), answer);
            }
        }
    }

    fn answer(&mut self, at: &str, answer: &Answer) {
        self.bind(at, &answer.clauses);
        self.schema_at(&format!("{at}/schema"), answer.schema.as_ref());
    }

    fn schema_at(&mut self, at: &str, schema: Option<&Schema>) {
        if let Some(schema) = schema {
            self.schema(at, schema);
        }
    }

    fn schema(&mut self, at: &str, schema: &Schema) {
        self.bind(at, &schema.clauses);
        for (name, variants) in &schema.properties.0 {
            for (index, variant) in variants.iter().enumerate() {
                let place = if variants.len() == 1 {
                    format!("{at}/properties/{name}")
                } else {
                    format!("{at}/properties/{name}/{index}")
                };
                self.schema(&place, variant);
            }
        }
        if let Some(items) = &schema.items {
            self.schema(&format!("{at}/items"), items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_whole() {
        let clauses = embedded();
        assert_eq!(clauses.len(), 2908);
        assert_eq!(clauses.iter().map(|clause| &clause.id).collect::<BTreeSet<_>>().len(), clauses.len());
    }

    #[test]
    fn ranges_of_clauses_are_closed() {
        let shown =
            |text: &str| versions(text).map(|list| list.iter().map(Version::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(shown("1.14-1.16").as_deref(), Some("1.14 1.15 1.16"));
        assert_eq!(shown("1.14-1.15,1.19").as_deref(), Some("1.14 1.15 1.19"));
        assert_eq!(shown("1.18+").as_deref(), Some("1.18 1.19"));
        assert_eq!(shown("1.3").as_deref(), Some(""));
        assert_eq!(shown("new"), None);
    }
}
