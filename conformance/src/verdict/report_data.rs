//! What a run leaves behind, as data: the reports are drawn from it, and two of them can be compared.

use std::collections::BTreeMap;

use drydock_spec::Version;
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::exchange::Exchange;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was judged.
    pub target: Target,
    /// `documented` or `exact`.
    pub level: String,
    /// The run's id, which everything that it made was named and labelled with.
    pub run: String,
    /// When it began, RFC 3339, UTC.
    pub began: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The versions judged, oldest first.
    pub versions: Vec<Version>,
    /// Every check's result, ordered by endpoint, check and version.
    pub findings: Vec<Finding>,
    /// A verdict per clause and version, ordered by clause.
    pub clauses: Vec<ClauseVerdict>,
    /// The endpoints in the order of reports.
    pub endpoints: Vec<EndpointRow>,
    /// What the run itself has to say: what it could not do, what was left behind on the target.
    pub remarks: Vec<String>,
}

/// What was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// `unix:///run/docker.sock`, `recordings:1.6.2`, `drydockd`.
    pub name: String,
    /// What the daemon says of itself, e.g. `20.10.24+dfsg1 (API 1.41)`.
    pub daemon: Option<String>,
    /// Whether recordings were judged in place of a daemon.
    pub replay: bool,
}

/// An endpoint of the spec: a row of the matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointRow {
    /// `containers.rename`.
    pub id: String,
    /// `POST`.
    pub method: String,
    /// `/containers/{container}/rename`.
    pub path: String,
    /// The versions that have it.
    pub versions: Vec<Version>,
}

/// One check's result in one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The check: `case containers.rename/name-taken`, `recorded images.tag/all#hex64`, `scenario stop waits …`.
    pub check: String,
    /// The endpoint that it is about, if one.
    pub endpoint: Option<String>,
    /// The version under which it was judged.
    pub version: Version,
    /// The clauses that it decides.
    pub clauses: Vec<String>,
    /// Entries of the spec that it holds the daemon against, `endpoints/containers.rename.json#/outcomes/3/by/0`.
    pub entries: Vec<String>,
    /// The judgement.
    pub verdict: Verdict,
    /// Why, in a line: what is wrong, what is lacking. Empty on a plain pass.
    pub reason: String,
    /// What was seen, for all but a plain pass.
    pub evidence: Option<Evidence>,
    /// How it was decided.
    pub how: How,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Finding {
    /// One of a live daemon, about which there is nothing more to say.
    pub(crate) fn new(check: impl Into<String>, version: Version, verdict: Verdict) -> Self {
        Self {
            check: check.into(),
            endpoint: None,
            version,
            clauses: Vec::new(),
            entries: Vec::new(),
            verdict,
            reason: String::new(),
            evidence: None,
            how: How::Live,
            took_ms: 0,
        }
    }
}

/// How a check was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// On a live daemon.
    Live,
    /// From recordings.
    Replay,
    /// It cannot be decided from recordings: timing, loss under load, half-close, concurrency.
    NotReplayable,
}

/// What was seen, and how to see it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The exchanges, in order.
    pub exchanges: Vec<ShownExchange>,
    /// What the clause or entry asks for.
    pub expected: String,
    /// What is wrong, a line each.
    pub differences: Vec<String>,
    /// A unified diff from the expected to the received, where both are texts.
    pub diff: Option<String>,
    /// A `curl` line that sends the deciding request.
    pub curl: Option<String>,
    /// The command that repeats just this check.
    pub repeat: String,
}

/// An exchange as a person reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownExchange {
    /// Where it was seen: `1.6.2-v1.18#123 images.tag/all/hex64`, `live`.
    pub origin: String,
    /// Request line, headers, body and stdin.
    pub request: String,
    /// Status line, headers in order, body or frames, and how it ended; or why there is no answer.
    pub response: String,
    /// Lengths of the chunks, where there were any.
    pub chunks: Vec<usize>,
    /// Milliseconds from the first byte sent to the end.
    pub took_ms: u64,
}

impl ShownExchange {
    /// An exchange for a person to read.
    pub fn of(exchange: &Exchange) -> Self {
        Self {
            origin: exchange.origin.to_string(),
            request: exchange.request.show(),
            response: exchange.show_answer(),
            chunks: exchange.answer.as_ref().map(|response| response.chunks.clone()).unwrap_or_default(),
            took_ms: u64::try_from(exchange.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A clause in a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClauseVerdict {
    /// `api.containers.rename.004`.
    pub clause: String,
    /// What it says.
    pub text: String,
    /// The endpoint that it speaks of, as the documents write it; `-` for none.
    pub endpoint: String,
    /// The version.
    pub version: Version,
    /// The gravest verdict of its checks.
    pub verdict: Verdict,
    /// The checks that decided it, by name.
    pub checks: Vec<String>,
    /// The ruling that says what is right instead, where the documents are not followed.
    pub ruling: Option<String>,
    /// The reason of an untestable or pending clause.
    pub reason: Option<String>,
}

/// How many of each verdict.
pub type Totals = BTreeMap<Verdict, usize>;

impl Report {
    /// Checks by verdict.
    pub fn totals(&self) -> Totals {
        count(self.findings.iter().map(|finding| finding.verdict))
    }

    /// Clauses in versions by verdict.
    pub fn clause_totals(&self) -> Totals {
        count(self.clauses.iter().map(|clause| clause.verdict))
    }

    /// Whether the run found nothing bad, and found anything at all.
    pub fn is_good(&self) -> bool {
        !self.findings.is_empty() && !self.findings.iter().any(|finding| finding.verdict.is_bad())
    }
}

fn count(verdicts: impl Iterator<Item = Verdict>) -> Totals {
    let mut totals = Totals::new();
    for verdict in verdicts {
        *totals.entry(verdict).or_default() += 1;
    }
    totals
}

/// A check that another run judged otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The check.
    pub check: String,
    /// The version.
    pub version: Version,
    /// Before; `None` if it did not run.
    pub before: Option<Verdict>,
    /// Now; `None` if it did not run.
    pub now: Option<Verdict>,
    /// The reason now, or before where there is none now.
    pub reason: String,
}

/// What changed between two runs. Empty when nothing did.
pub fn changes(before: &Report, now: &Report) -> Vec<Change> {
    let by_check = |report: &Report| -> BTreeMap<(String, Version), (Verdict, String)> {
        let entry = |f: &Finding| ((f.check.clone(), f.version), (f.verdict, f.reason.clone()));
        report.findings.iter().map(entry).collect()
    };
    let (before, now) = (by_check(before), by_check(now));
    let mut keys: Vec<_> = before.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| {
            let (was, is) = (before.get(key), now.get(key));
            let verdict = |side: Option<&(Verdict, String)>| side.map(|(verdict, _)| *verdict);
            (verdict(was) != verdict(is)).then(|| Change {
                check: key.0.clone(),
                version: key.1,
                before: verdict(was),
                now: verdict(is),
                reason: is.or(was).map(|(_, reason)| reason.clone()).unwrap_or_default(),
            })
        })
        .collect()
}
