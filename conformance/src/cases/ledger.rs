//! Keeps a finding per check while exchanges are held against the spec.

use std::collections::BTreeMap;

use drydock_spec::{
    Spec, Version,
    judge::{Candidate, Level},
    model::{ClauseId, Content as Described, Endpoint, Outcome},
    schema::Context,
};

use super::{fields, framing};
use crate::{
    exchange::{Address, Content, Exchange, NoAnswer, Request},
    judging::{self, Asked, Standing},
    subject::speaks_of,
    verdict::{Evidence, Finding, How, ShownExchange, Verdict},
};

/// An exchange and what it was made to show.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'e> {
    /// `SCENARIO/STEP`.
    pub label: &'e str,
    /// The outcome that the situation calls for; `None` where any described one will do.
    pub expected: Option<&'e str>,
    /// The exchange.
    pub exchange: &'e Exchange,
}

/// The findings of one version.
pub struct Ledger<'s> {
    spec: &'s Spec,
    version: Version,
    level: Level,
    how: How,
    /// Where the daemon listens, for the lines that repeat a request.
    address: String,
    checks: BTreeMap<String, Check>,
    /// Where the daemon could not be reached last, and why.
    unreachable: Option<(String, String)>,
}

/// Recorded scenarios whose requests no client makes that was written from the documents.
const UNUSUAL: [&str; 4] = ["routing/", "http/", "json-body/", "containers.missing/"];

/// The outcome of a request to a route that is not there.
const NO_SUCH_PAGE: &str = "no-such-page";

/// What is known of one check so far.
#[derive(Default)]
struct Check {
    endpoint: Option<String>,
    clauses: Vec<ClauseId>,
    passed: usize,
    failed: Vec<String>,
    evidence: Option<Evidence>,
    /// The first request whose answer failed.
    request: Option<Request>,
    took_ms: u64,
}

impl<'s> Ledger<'s> {
    /// For a daemon that is judged as a daemon of `version`.
    pub fn new(spec: &'s Spec, version: Version, level: Level, how: How) -> Self {
        Self {
            spec,
            version,
            level,
            how,
            address: "unix:///var/run/docker.sock".to_owned(),
            checks: BTreeMap::new(),
            unreachable: None,
        }
    }

    /// The daemon listens at `address`.
    pub fn at(self, address: &Address) -> Self {
        Self { address: address.to_string(), ..self }
    }

    /// Holds an exchange against the spec.
    pub fn observe(&mut self, situation: Situation<'_>) {
        let exchange = situation.exchange;
        if self.level == Level::Documented && UNUSUAL.iter().any(|group| situation.label.starts_with(group)) {
            return;
        }
        let judged = judging::judge(self.spec, self.version, exchange, self.level);
        let endpoint = judged.endpoint;
        match judged.ruling {
            Standing::NotKept | Standing::Unanswered(NoAnswer::NotAsked(_)) => {}
            // A daemon that is gone says nothing of what it would have answered.
            Standing::Unanswered(NoAnswer::Connect(why)) => self.unreachable = Some((situation.label.to_owned(), why)),
            Standing::Unanswered(error) => {
                if self.is_due(endpoint, situation.expected) {
                    self.fail_outcome(endpoint, situation.expected, situation, vec![error.to_string()]);
                }
            }
            Standing::Several(candidates) => {
                let meant =
                    candidates.iter().find(|candidate| Some(candidate.outcome.id.as_str()) == situation.expected);
                if let Some(candidate) = meant.or(candidates.first()) {
                    self.described(endpoint, candidate, situation);
                }
            }
            Standing::Is(candidate) => self.described(endpoint, &candidate, situation),
            Standing::None(candidates) => self.undescribed(endpoint, candidates, situation),
        }
    }

    /// The findings, ordered by check.
    pub fn into_findings(self) -> Vec<Finding> {
        let (version, how) = (self.version, self.how);
        let address = self.address;
        let finding = |(name, mut check): (String, Check)| {
            if let (Some(evidence), Some(request)) = (&mut check.evidence, &check.request) {
                evidence.curl = Some(request.curl(&address));
            }
            let total = check.passed + check.failed.len();
            let reason = match (check.failed.len(), check.failed.first()) {
                (0, _) | (_, None) => String::new(),
                (1, Some(first)) if total == 1 => first.clone(),
                (count, Some(first)) => format!("{first} (and so in {count} of {total} exchanges)"),
            };
            Finding {
                check: name,
                endpoint: check.endpoint,
                version,
                clauses: check.clauses,
                entries: Vec::new(),
                verdict: if check.failed.is_empty() { Verdict::Pass } else { Verdict::Fail },
                reason,
                evidence: check.evidence,
                how,
                took_ms: check.took_ms,
            }
        };
        let gone = self.unreachable.map(|(label, why)| Finding {
            reason: format!("at {label} it could not be reached: {why}"),
            how,
            ..Finding::new("target answers", version, Verdict::Error)
        });
        self.checks.into_iter().map(finding).chain(gone).collect()
    }

    /// Whether an endpoint's outcome is judged at all at this level.
    pub fn judges(&self, endpoint: &str, outcome: &str) -> bool {
        self.is_due(self.spec.find(endpoint), Some(outcome))
    }

    /// Whether an outcome is judged at this level: at `documented`, what the documents speak of and plain success.
    fn is_due(&self, endpoint: Option<&Endpoint>, outcome: Option<&str>) -> bool {
        if self.level == Level::Exact {
            return true;
        }
        let Some(outcome) = outcome.and_then(|id| find(self.spec, endpoint, id)) else { return false };
        // A route that the version lacks and the daemon has is no failure.
        outcome.id != NO_SUCH_PAGE && self.is_documented(outcome)
    }

    fn is_documented(&self, outcome: &Outcome) -> bool {
        let answered = outcome.answers(self.version, self.version).any(|(_, answer)| !answer.clauses.is_empty());
        outcome.when.0.is_empty() || !outcome.clauses.is_empty() || answered
    }

    /// The answer is an outcome of the spec: the expected one, or another.
    fn described(&mut self, endpoint: Option<&Endpoint>, candidate: &Candidate<'_>, situation: Situation<'_>) {
        self.route(endpoint, candidate, situation);
        match situation.expected {
            Some(expected) if expected != candidate.outcome.id && self.is_as_good(endpoint, expected, situation) => {
                self.pass_as(endpoint, expected, situation);
            }
            Some(expected) if expected != candidate.outcome.id && !self.is_due(endpoint, Some(expected)) => {}
            Some(expected) if expected != candidate.outcome.id => {
                let status = situation.exchange.status().unwrap_or_default();
                let due = self.statuses(endpoint, Some(expected));
                // At `documented` texts are free, so that the outcome is told by its status alone.
                let what = match self.level {
                    Level::Exact => format!("{status}, {}, where {expected} answers {due:?}", candidate.outcome.id),
                    Level::Documented => format!("{status}, where {expected} answers {due:?}"),
                };
                self.fail_outcome(endpoint, Some(expected), situation, vec![what]);
            }
            _ if self.level == Level::Exact || self.is_documented(candidate.outcome) => {
                self.pass_outcome(endpoint, candidate, situation);
                self.fields(endpoint, candidate, situation);
                self.framing(endpoint, candidate.answer().content(), situation);
            }
            _ => {}
        }
    }

    /// The answer is none. Where only fields of the expected outcome are wrong, the fields fail and not the outcome.
    fn undescribed(&mut self, endpoint: Option<&Endpoint>, candidates: Vec<Candidate<'_>>, situation: Situation<'_>) {
        if !self.is_due(endpoint, situation.expected) {
            return;
        }
        if let Some(expected) = situation.expected
            && self.is_as_good(endpoint, expected, situation)
        {
            return self.pass_as(endpoint, expected, situation);
        }
        let meant = |candidate: &&Candidate<'_>| situation.expected.is_none_or(|id| candidate.outcome.id == id);
        let nearest =
            candidates.iter().filter(meant).min_by_key(|candidate| (candidate.front, candidate.differences.len()));
        let Some(nearest) = nearest else {
            let status = situation.exchange.status().unwrap_or_default();
            let due = self.statuses(endpoint, situation.expected);
            let what = match (situation.expected, due.is_empty()) {
                (Some(expected), false) => format!("{status}, where {expected} answers {due:?}"),
                _ => format!("no outcome has status {status}"),
            };
            return self.fail_outcome(endpoint, situation.expected, situation, vec![what]);
        };
        let wrong = self.fields(endpoint, nearest, situation);
        let others: Vec<String> = nearest
            .differences
            .iter()
            .filter(|difference| !wrong.iter().any(|field| difference.ends_with(field.as_str())))
            .cloned()
            .collect();
        self.route(endpoint, nearest, situation);
        if others.is_empty() {
            self.pass_outcome(endpoint, nearest, situation);
            self.framing(endpoint, nearest.answer().content(), situation);
        } else {
            self.fail_outcome(endpoint, Some(&nearest.outcome.id), situation, others);
        }
    }

    /// Whether an answer is at `documented` as good as the expected: it has its status, whatever a failure says, and
    /// whatever stands where no document of JSON is promised.
    fn is_as_good(&self, endpoint: Option<&Endpoint>, expected: &str, situation: Situation<'_>) -> bool {
        if self.level == Level::Exact {
            return false;
        }
        let Some(status) = situation.exchange.status() else { return false };
        let outcome = find(self.spec, endpoint, expected);
        let mut answers = outcome.into_iter().flat_map(|outcome| outcome.answers(self.version, self.version));
        // What a document of JSON holds is judged field by field.
        let is_json = |content| matches!(content, Described::Json | Described::JsonLines | Described::Tar);
        answers.any(|(_, answer)| answer.status.contains(status) && (status >= 400 || !is_json(answer.content())))
    }

    fn pass_as(&mut self, endpoint: Option<&Endpoint>, expected: &str, situation: Situation<'_>) {
        let home = endpoint.map_or("front", |endpoint| endpoint.id.as_str());
        let clauses = self.clauses_of(endpoint, expected);
        self.check(format!("case {home}/{expected}"), endpoint, &clauses).pass(situation);
    }

    fn clauses_of(&self, endpoint: Option<&Endpoint>, outcome: &str) -> Vec<ClauseId> {
        let Some(outcome) = find(self.spec, endpoint, outcome) else { return Vec::new() };
        let answers = outcome.answers(self.version, self.version).flat_map(|(_, answer)| &answer.clauses);
        outcome.clauses.iter().chain(answers).cloned().collect()
    }

    /// The statuses of an outcome in the version.
    fn statuses(&self, endpoint: Option<&Endpoint>, outcome: Option<&str>) -> Vec<u16> {
        let outcome = outcome.and_then(|id| find(self.spec, endpoint, id));
        let answers = outcome.into_iter().flat_map(|outcome| outcome.answers(self.version, self.version));
        answers.flat_map(|(_, answer)| answer.status.all().to_vec()).collect()
    }

    /// The endpoint exists: something of its own answered.
    fn route(&mut self, endpoint: Option<&Endpoint>, candidate: &Candidate<'_>, situation: Situation<'_>) {
        if let Some(endpoint) = endpoint.filter(|_| !candidate.front) {
            let check = self.check(format!("route {}", endpoint.id), Some(endpoint), &endpoint.clauses);
            check.pass(situation);
        }
    }

    fn pass_outcome(&mut self, endpoint: Option<&Endpoint>, candidate: &Candidate<'_>, situation: Situation<'_>) {
        let name = outcome_check(endpoint, candidate);
        let clauses: Vec<ClauseId> =
            candidate.outcome.clauses.iter().chain(&candidate.answer().clauses).cloned().collect();
        self.check(name, endpoint, &clauses).pass(situation);
    }

    fn fail_outcome(
        &mut self,
        endpoint: Option<&Endpoint>,
        outcome: Option<&str>,
        situation: Situation<'_>,
        differences: Vec<String>,
    ) {
        let home = endpoint.map_or("front", |endpoint| endpoint.id.as_str());
        let known = outcome.and_then(|id| find(self.spec, endpoint, id));
        let clauses = outcome.map(|outcome| self.clauses_of(endpoint, outcome)).unwrap_or_default();
        let expected =
            known.map(|outcome| describe(outcome, self.version)).unwrap_or_else(|| "an outcome of the spec".to_owned());
        let name = format!("case {home}/{}", outcome.unwrap_or("any"));
        self.check(name, endpoint, &clauses).fail(situation, expected, differences);
    }

    /// Judges the fields of a JSON answer; gives the differences that are theirs.
    fn fields(
        &mut self,
        endpoint: Option<&Endpoint>,
        candidate: &Candidate<'_>,
        situation: Situation<'_>,
    ) -> Vec<String> {
        let answer = candidate.answer();
        let (Some(schema), Described::Json | Described::JsonLines) = (&answer.schema, answer.content()) else {
            return Vec::new();
        };
        let Ok(response) = &situation.exchange.answer else { return Vec::new() };
        let Content::Bytes(_) = &response.content else { return Vec::new() };
        let Some(documents) = response.json_lines() else { return Vec::new() };
        let asked = Asked::new(&situation.exchange.request);
        let request = asked.as_spec();
        let flag = |name: &str| request.flag(name);
        let context = Context {
            spec: self.spec,
            version: self.version,
            asked: request.asked.unwrap_or(self.version),
            flag: &flag,
            exact: self.level == Level::Exact,
        };
        let home = endpoint.map_or("front", |endpoint| endpoint.id.as_str()).to_owned();
        let mut differing = Vec::new();
        for document in &documents {
            for (pointer, mut field) in fields::fields(context, schema, document) {
                differing.extend(field.differences.iter().cloned());
                // A type that several endpoints share binds the clauses of all of them.
                field.clauses.retain(|clause| endpoint.is_none_or(|endpoint| speaks_of(clause, endpoint)));
                // What the documents don't speak of is nothing that a client written from them relies on.
                if self.level == Level::Documented && field.clauses.is_empty() {
                    continue;
                }
                let absent = if field.surplus { " (absent)" } else { "" };
                let shown = if pointer.is_empty() { "/" } else { &pointer };
                let check = self.check(format!("field {home} {shown}{absent}"), endpoint, &field.clauses);
                match field.differences.is_empty() {
                    true => check.pass(situation),
                    false => check.fail(situation, format!("{shown} as the spec describes it"), field.differences),
                }
            }
        }
        differing
    }

    fn framing(&mut self, endpoint: Option<&Endpoint>, described: Described, situation: Situation<'_>) {
        let (Some(home), Ok(response)) = (endpoint, &situation.exchange.answer) else { return };
        let Some(differences) = framing::differences(described, response) else { return };
        let check = self.check(format!("framing {}", home.id), endpoint, &[]);
        match differences.is_empty() {
            true => check.pass(situation),
            false => check.fail(situation, "a stream cut where its messages end".to_owned(), differences),
        }
    }

    fn check(&mut self, name: String, endpoint: Option<&Endpoint>, clauses: &[ClauseId]) -> &mut Check {
        let check = self.checks.entry(name).or_default();
        check.endpoint = endpoint.map(|endpoint| endpoint.id.clone());
        for clause in clauses {
            if !check.clauses.contains(clause) {
                check.clauses.push(clause.clone());
            }
        }
        check
    }
}

impl Check {
    fn pass(&mut self, situation: Situation<'_>) {
        self.passed += 1;
        self.took_ms += took(situation);
    }

    fn fail(&mut self, situation: Situation<'_>, expected: String, differences: Vec<String>) {
        self.took_ms += took(situation);
        let first = differences.first().cloned().unwrap_or_default();
        self.failed.push(format!("{}: {first}", situation.label));
        if self.evidence.is_none() {
            self.request = Some(situation.exchange.request.clone());
            self.evidence = Some(Evidence {
                exchanges: vec![ShownExchange::of(situation.exchange)],
                expected,
                differences,
                ..Evidence::default()
            });
        }
    }
}

fn took(situation: Situation<'_>) -> u64 {
    u64::try_from(situation.exchange.took.as_millis()).unwrap_or(u64::MAX)
}

fn outcome_check(endpoint: Option<&Endpoint>, candidate: &Candidate<'_>) -> String {
    let home = endpoint.filter(|_| !candidate.front).map_or("front", |endpoint| endpoint.id.as_str());
    format!("case {home}/{}", candidate.outcome.id)
}

fn find<'s>(spec: &'s Spec, endpoint: Option<&'s Endpoint>, id: &str) -> Option<&'s Outcome> {
    endpoint.and_then(|endpoint| endpoint.outcome(id)).or_else(|| spec.front().iter().find(|outcome| outcome.id == id))
}

/// What an outcome answers in a version, in a line.
fn describe(outcome: &Outcome, version: Version) -> String {
    let answers = outcome.answers(version, version).map(|(_, answer)| {
        let text = answer.text.as_ref().map(|text| format!(" {:?}", text.source())).unwrap_or_default();
        format!("{:?}{text}", answer.status.all())
    });
    format!("{}: {}", outcome.id, answers.collect::<Vec<_>>().join(" or "))
}
