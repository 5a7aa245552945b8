//! Whether the spec holds together: the rules that `cargo xtask spec check` applies.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::{
    clauses::Clause,
    entries::Entry,
    judge::goes_before,
    load::{Problem, Spec},
    model::{Answer, ClauseId, Content, Endpoint, Kind, Outcome, RequestBody, Schema, Tier},
    text::Text,
    version::{Range, Version},
};

/// What the spec is held against.
#[derive(Clone, Copy)]
pub struct Against<'a> {
    /// The documents' statements.
    pub clauses: &'a [Clause],
    /// Clauses that a scenario of the suite binds.
    pub scenarios: &'a BTreeSet<ClauseId>,
    /// Clauses listed as bound by nothing yet.
    pub pending: &'a BTreeMap<&'a str, &'a str>,
    /// Clauses listed as untestable.
    pub untestable: &'a BTreeMap<&'a str, &'a str>,
    /// The entries that recorded exchanges exercise.
    pub evidence: &'a BTreeSet<Entry>,
}

/// Everything that is wrong with the spec, ordered by file and pointer.
pub fn check(spec: &Spec, against: Against<'_>) -> Vec<Problem> {
    let mut problems = structure(spec);
    problems.extend(clause_problems(spec, against));
    for listed in spec.entries() {
        if !listed.sourced && !against.evidence.contains(&listed.entry) {
            let (file, pointer) = listed.entry.split_once('#').unwrap_or((&listed.entry, ""));
            problems.push(Problem::new(
                file,
                pointer,
                "no recorded exchange exercises it, and no clause, note or ruling stands for it",
            ));
        }
    }
    problems.sort();
    problems
}

/// What is wrong with the spec by itself.
pub fn structure(spec: &Spec) -> Vec<Problem> {
    let mut walk = Structure { spec, file: String::new(), problems: Vec::new() };
    let mut seen = BTreeMap::new();
    for endpoint in spec.endpoints() {
        walk.file = format!("endpoints/{}.json", endpoint.id);
        walk.endpoint(endpoint);
        for version in endpoint.versions.versions() {
            if let Some(other) = seen.insert((version, &endpoint.method, &endpoint.path), &endpoint.id) {
                walk.problem("/path", format!("{other} has the same method and path in {version}"));
            }
        }
    }
    walk.file = "front.json".to_owned();
    walk.outcomes(Range::ALL, spec.front());
    for (name, schema) in spec.types() {
        walk.file = format!("types/{name}.json");
        walk.schema("", Range::ALL, schema);
    }
    walk.file = "behaviours.json".to_owned();
    for (index, behaviour) in spec.behaviours().iter().enumerate() {
        if behaviour.evidence.is_empty() && behaviour.clauses.is_empty() {
            walk.problem(&format!("/{index}/evidence"), "is empty, and no clause stands for it");
        }
    }
    walk.problems
}

struct Structure<'a> {
    spec: &'a Spec,
    file: String,
    problems: Vec<Problem>,
}

impl Structure<'_> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(self.file.clone(), pointer, message));
    }

    fn within(&mut self, pointer: &str, outer: Range, inner: Range) {
        if inner != Range::ALL && !outer.covers(inner) {
            self.problem(&format!("{pointer}/versions"), format!("{inner} reaches beyond its parent's range, {outer}"));
        }
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        let rooted = endpoint.path.starts_with('/') || endpoint.path.starts_with('{');
        if !rooted || endpoint.path.matches('{').count() > 1 {
            self.problem("/path", "begins with a slash or a variable, and has at most one variable");
        }
        for (list, parameters) in [("query", &endpoint.query), ("headers", &endpoint.headers)] {
            for (index, parameter) in parameters.iter().enumerate() {
                let at = format!("/{list}/{index}");
                self.within(&at, endpoint.versions, parameter.versions);
                for (key, filter) in parameter.keys.iter().enumerate() {
                    self.within(&format!("{at}/keys/{key}"), endpoint.versions, filter.versions);
                }
                let overlap = parameters[..index]
                    .iter()
                    .any(|other| other.name == parameter.name && other.versions.overlaps(parameter.versions));
                if overlap {
                    self.problem(&at, format!("{} is described twice for one version", parameter.name));
                }
            }
        }
        for (index, RequestBody { versions, schema, .. }) in endpoint.body.iter().enumerate() {
            let at = format!("/body/{index}");
            self.within(&at, endpoint.versions, *versions);
            if endpoint.body[..index].iter().any(|other| other.versions.overlaps(*versions)) {
                self.problem(&format!("{at}/versions"), "overlaps with another reader of the body");
            }
            if let Some(schema) = schema {
                self.schema(&format!("{at}/schema"), endpoint.versions, schema);
            }
        }
        self.outcomes(endpoint.versions, &endpoint.outcomes);
        self.apart(endpoint);
    }

    fn outcomes(&mut self, range: Range, outcomes: &[Outcome]) {
        let mut ids = BTreeSet::new();
        for (index, outcome) in outcomes.iter().enumerate() {
            let at = format!("/outcomes/{index}");
            if !ids.insert(&outcome.id) {
                self.problem(&format!("{at}/id"), format!("{:?} is another outcome's id", outcome.id));
            }
            self.within(&at, range, outcome.versions);
            if outcome.by.is_empty() {
                self.problem(&at, "has no answer");
            }
            if let Some(id) =
                outcome.ruling.as_ref().filter(|id| !self.spec.rulings().iter().any(|ruling| ruling.id == **id))
            {
                self.problem(&format!("{at}/ruling"), format!("no ruling {id:?} in rulings.json"));
            }
            for (by, answer) in outcome.by.iter().enumerate() {
                let at = format!("{at}/by/{by}");
                if outcome.shared.is_none() {
                    self.within(&at, range, answer.versions);
                }
                if answer.text.is_some() != (answer.content() == Content::Text) {
                    self.problem(&at, "has a text, and its content is not text, or the reverse");
                }
                if !answer.frames.is_empty() && !matches!(answer.content(), Content::Stdio | Content::Hijack) {
                    self.problem(&format!("{at}/frames"), "its content is no container output");
                }
                for (name, template) in &answer.headers {
                    if template.as_ref().is_some_and(|template| Text::parse(template).is_err()) {
                        self.problem(&format!("{at}/headers/{name}"), "its braces have no partners");
                    }
                }
                if let Some(schema) = &answer.schema {
                    self.schema(&format!("{at}/schema"), range, schema);
                }
            }
        }
    }

    fn schema(&mut self, at: &str, range: Range, schema: &Schema) {
        match &schema.reference {
            Some(name) if self.spec.type_named(name).is_none() => {
                self.problem(&format!("{at}/ref"), format!("no type {name:?}"))
            }
            _ => {}
        }
        if let Some(Err(error)) = schema.pattern.as_ref().map(|pattern| Regex::new(pattern)) {
            self.problem(&format!("{at}/pattern"), error.to_string());
        }
        match schema.kind {
            Some(Kind::Array | Kind::Map) if schema.items.is_none() => self.problem(at, "has no `items`"),
            Some(Kind::Object) if schema.properties.0.is_empty() && !schema.open => {
                self.problem(at, "has no `properties`, and is not open")
            }
            _ => {}
        }
        for (name, variants) in &schema.properties.0 {
            for (index, variant) in variants.iter().enumerate() {
                let at = if variants.len() == 1 {
                    format!("{at}/properties/{name}")
                } else {
                    format!("{at}/properties/{name}/{index}")
                };
                self.within(&at, range, variant.versions);
                if variants[..index].iter().any(|other| both(other, variant)) {
                    self.problem(&format!("{at}/versions"), "overlaps with another variant");
                }
                self.schema(&at, if variant.versions == Range::ALL { range } else { variant.versions }, variant);
            }
        }
        if let Some(items) = &schema.items {
            self.schema(&format!("{at}/items"), range, items);
        }
    }

    /// Two outcomes of one request that no answer can tell apart.
    fn apart(&mut self, endpoint: &Endpoint) {
        for version in endpoint.versions.versions() {
            let answers: Vec<(usize, usize, &Answer)> = endpoint
                .outcomes
                .iter()
                .enumerate()
                .flat_map(|(index, outcome)| {
                    outcome.answers(version, version).map(move |(by, answer)| (index, by, answer))
                })
                .collect();
            for (place, (index, by, answer)) in answers.iter().enumerate() {
                for (other_index, other_by, other) in &answers[..place] {
                    if alike(answer, other) && !goes_before(other, answer) {
                        self.problem(
                            &format!("/outcomes/{index}/by/{by}"),
                            format!("in {version} nothing tells it apart from /outcomes/{other_index}/by/{other_by}"),
                        );
                    }
                }
            }
        }
    }
}

fn both(a: &Schema, b: &Schema) -> bool {
    let asked = match (a.asked, b.asked) {
        (Some(a), Some(b)) => a.overlaps(b),
        _ => true,
    };
    asked && a.versions.overlaps(b.versions)
}

fn alike(a: &Answer, b: &Answer) -> bool {
    let status = a.status.all().iter().any(|status| b.status.contains(*status));
    if !status || a.content() != b.content() || a.headers != b.headers {
        return false;
    }
    if !a.frames.is_empty() || !b.frames.is_empty() {
        let same = |(a, b): (&(u8, Text), &(u8, Text))| a.0 == b.0 && a.1.matches(&b.1.example(), Tier::Exact);
        return a.frames.len() == b.frames.len() && a.frames.iter().zip(&b.frames).all(same);
    }
    match (&a.text, &b.text) {
        (Some(a_text), Some(b_text)) => {
            a.tier == Tier::Free
                || b.tier == Tier::Free
                || a_text.matches(&b_text.example(), a.tier)
                || b_text.matches(&a_text.example(), b.tier)
        }
        _ => match (&a.schema, &b.schema) {
            (Some(a), Some(b)) => a.reference.is_some() && a.reference == b.reference,
            _ => true,
        },
    }
}

fn clause_problems(spec: &Spec, against: Against<'_>) -> Vec<Problem> {
    let known: BTreeMap<&str, &Clause> = against.clauses.iter().map(|clause| (clause.id.as_str(), clause)).collect();
    let bindings = spec.bindings();
    let mut problems = Vec::new();
    for (clause, places) in &bindings {
        if !known.contains_key(clause.as_str()) {
            for place in places {
                problems.push(Problem::new(&place.file, &place.pointer, format!("no clause {clause:?}")));
            }
        }
    }
    for clause in against.scenarios {
        if !known.contains_key(clause.as_str()) {
            problems.push(Problem::new("scenarios", "", format!("no clause {clause:?}")));
        }
    }
    for (file, list) in [("pending.tsv", against.pending), ("untestable.tsv", against.untestable)] {
        for id in list.keys() {
            if !known.contains_key(id) {
                problems.push(Problem::new(file, *id, "no such clause"));
            }
            if bindings.contains_key(*id) || against.scenarios.contains(*id) {
                problems.push(Problem::new(file, *id, "is bound, so strike it from the list"));
            }
        }
    }
    for clause in known.values().filter(|clause| clause.needs_test()) {
        let id = clause.id.as_str();
        let bound = bindings.contains_key(id) || against.scenarios.contains(id);
        if !bound && !against.pending.contains_key(id) && !against.untestable.contains_key(id) {
            problems.push(Problem::new(
                "clauses.tsv",
                id,
                "is bound nowhere, and listed neither as pending nor as untestable",
            ));
        }
    }
    problems
}

/// The versions in which an endpoint's outcome has an answer.
pub fn answered(outcome: &Outcome, endpoint: &Endpoint) -> Vec<Version> {
    endpoint.versions.versions().filter(|version| outcome.answer(*version, *version).is_some()).collect()
}
