//! The entries of the spec, and which of them an exchange exercises.
//!
//! An entry is what evidence is asked for: a parameter, an answer, a variant of a property. It is named by file and
//! JSON pointer, `endpoints/containers.rename.json#/outcomes/3/by/0`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    judge::{Candidate, Request},
    load::Spec,
    model::{ClauseId, Content, Endpoint, Outcome, Parameter, Schema},
    version::Version,
};

/// An entry: file, `#`, JSON pointer.
pub type Entry = String;

/// An entry and what speaks for it beside recordings.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// Whether clauses, a note or a ruling stand at it or at what holds it.
    pub sourced: bool,
}

impl Spec {
    /// Every entry of the spec.
    pub fn entries(&self) -> Vec<Listed> {
        let mut all = Vec::new();
        for endpoint in self.endpoints() {
            let file = format!("endpoints/{}.json", endpoint.id);
            let sourced = endpoint.note.is_some();
            parameters(&mut all, &file, "/query", &endpoint.query, sourced);
            parameters(&mut all, &file, "/headers", &endpoint.headers, sourced);
            outcomes(&mut all, &file, &endpoint.outcomes, sourced);
        }
        outcomes(&mut all, "front.json", self.front(), false);
        let spoken = self.response_types();
        for (name, schema) in self.types().filter(|(name, _)| spoken.contains(*name)) {
            properties(&mut all, &format!("types/{name}.json"), "", schema, schema.note.is_some());
        }
        all
    }

    /// The names of the types that answers use; those of request bodies are exercised by no answer.
    fn response_types(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let outcomes = self.endpoints().iter().flat_map(|endpoint| &endpoint.outcomes).chain(self.front());
        for schema in outcomes.flat_map(|outcome| &outcome.by).filter_map(|answer| answer.schema.as_ref()) {
            self.named(schema, &mut names);
        }
        names
    }

    fn named<'s>(&'s self, schema: &'s Schema, names: &mut BTreeSet<&'s str>) {
        if let Some(name) = &schema.reference
            && names.insert(name)
            && let Some(shared) = self.type_named(name)
        {
            self.named(shared, names);
        }
        let inner = schema.properties.0.iter().flat_map(|(_, variants)| variants).chain(schema.items.as_deref());
        for schema in inner {
            self.named(schema, names);
        }
    }

    /// The entries that an answer exercises, given the outcome that it was judged to be.
    pub fn exercised(
        &self,
        endpoint: Option<&Endpoint>,
        version: Version,
        request: &Request<'_>,
        candidate: &Candidate<'_>,
        body: &[u8],
    ) -> Vec<Entry> {
        let mut found = Vec::new();
        let home = endpoint.map(|endpoint| format!("endpoints/{}.json", endpoint.id));
        if let (Some(endpoint), Some(file)) = (endpoint, &home) {
            for (index, parameter) in endpoint.query.iter().enumerate() {
                if parameter.versions.contains(version) && request.query.iter().any(|(name, _)| *name == parameter.name)
                {
                    found.push(format!("{file}#/query/{index}"));
                }
            }
        }
        let (file, list) = match (candidate.front, endpoint, &home) {
            (false, Some(endpoint), Some(file)) => (file.as_str(), endpoint.outcomes.as_slice()),
            _ => ("front.json", self.front()),
        };
        let Some(index) = list.iter().position(|outcome| std::ptr::eq(outcome, candidate.outcome)) else {
            return found;
        };
        let at = format!("/outcomes/{index}/by/{}", candidate.by);
        let answer = candidate.answer();
        if let (Some(schema), Content::Json | Content::JsonLines) = (&answer.schema, answer.content()) {
            let asked = request.asked.unwrap_or(version);
            let mut walk = Walk { spec: self, version, asked, found: &mut found };
            for document in serde_json::Deserializer::from_slice(body).into_iter::<Value>().map_while(Result::ok) {
                walk.value(file, &format!("{at}/schema"), schema, &document);
            }
        }
        found.push(format!("{file}#{at}"));
        found
    }
}

fn parameters(all: &mut Vec<Listed>, file: &str, at: &str, parameters: &[Parameter], sourced: bool) {
    for (index, parameter) in parameters.iter().enumerate() {
        let sourced = sourced || parameter.note.is_some() || !parameter.clauses.is_empty();
        all.push(Listed { entry: format!("{file}#{at}/{index}"), sourced });
    }
}

fn outcomes(all: &mut Vec<Listed>, file: &str, outcomes: &[Outcome], sourced: bool) {
    for (index, outcome) in outcomes.iter().enumerate() {
        let sourced = sourced || is_sourced(&outcome.note, &outcome.clauses) || outcome.ruling.is_some();
        for (by, answer) in outcome.by.iter().enumerate() {
            let at = format!("/outcomes/{index}/by/{by}");
            let sourced = sourced || is_sourced(&answer.note, &answer.clauses);
            all.push(Listed { entry: format!("{file}#{at}"), sourced });
            if let Some(schema) = &answer.schema {
                properties(all, file, &format!("{at}/schema"), schema, answer.note.is_some());
            }
        }
    }
}

fn is_sourced(note: &Option<String>, clauses: &[ClauseId]) -> bool {
    note.is_some() || !clauses.is_empty()
}

fn properties(all: &mut Vec<Listed>, file: &str, at: &str, schema: &Schema, sourced: bool) {
    for (name, variants) in &schema.properties.0 {
        for (index, variant) in variants.iter().enumerate() {
            let at = place(at, name, index, variants.len());
            let sourced = sourced || is_sourced(&variant.note, &variant.clauses);
            all.push(Listed { entry: format!("{file}#{at}"), sourced });
            properties(all, file, &at, variant, sourced);
        }
    }
    if let Some(items) = &schema.items {
        properties(all, file, &format!("{at}/items"), items, sourced);
    }
}

fn place(at: &str, name: &str, index: usize, variants: usize) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    if variants == 1 { format!("{at}/properties/{name}") } else { format!("{at}/properties/{name}/{index}") }
}

struct Walk<'a> {
    spec: &'a Spec,
    version: Version,
    asked: Version,
    found: &'a mut Vec<Entry>,
}

impl Walk<'_> {
    fn value(&mut self, file: &str, at: &str, schema: &Schema, value: &Value) {
        if let Some(name) = &schema.reference {
            let spec = self.spec;
            if let Some(shared) = spec.type_named(name) {
                self.value(&format!("types/{name}.json"), "", shared, value);
            }
            return;
        }
        match value {
            Value::Object(map) if schema.properties.0.is_empty() => {
                if let Some(items) = &schema.items {
                    map.values().for_each(|item| self.value(file, &format!("{at}/items"), items, item));
                }
            }
            Value::Object(map) => {
                for (name, variants) in &schema.properties.0 {
                    let held = variants.iter().position(|variant| variant.holds(self.version, self.asked));
                    if let (Some(index), Some(value)) = (held, map.get(name)) {
                        let place = place(at, name, index, variants.len());
                        self.found.push(format!("{file}#{place}"));
                        self.value(file, &place, &variants[index], value);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &schema.items {
                    items.iter().for_each(|item| self.value(file, &format!("{at}/items"), schema, item));
                }
            }
            _ => {}
        }
    }
}
