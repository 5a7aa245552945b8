//! Scenarios written by hand, for what a shape cannot say: one file per topic, a function each, named as a sentence.
//!
//! Most are pure functions over the exchanges of a recorded scenario, so that the recordings decide them too. What no
//! recording can show (timing, loss under load, concurrency, troubles that genuine daemons had) acts on a live daemon.

mod attach;
mod events;
mod exec;
mod files;
mod flow;
mod host;
mod images;
mod lifecycle;
mod list;
mod logs;
mod seen;
mod stage;
mod troubles;

pub use seen::Seen;
pub use stage::Stage;

use std::{collections::HashMap, time::Instant};

use drydock_spec::{Range, Version};

use crate::{
    exchange::{Client, Exchange, FileName},
    recorded::Naming,
    run::{Interrupt, Options},
    subject::endpoint_of,
    verdict::{Evidence, Finding, How, Verdict},
};

/// A scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What holds, as a sentence.
    pub name: &'static str,
    /// The clauses that it decides.
    pub clauses: &'static [&'static str],
    /// The first version for which it holds; the first of all if empty.
    pub from: &'static str,
    /// The version from which it holds no longer; none if empty.
    pub until: &'static str,
    /// How it is decided.
    pub check: Check,
}

/// How a scenario is decided.
#[derive(Clone, Copy)]
pub enum Check {
    /// From the exchanges of a recorded scenario, be they recorded or made just now.
    Recorded(&'static str, fn(&Seen<'_>) -> Shown),
    /// By acting on a live daemon.
    Live(fn(&mut Stage<'_>) -> Shown),
}

/// Whether it holds.
pub type Shown = Result<(), Wrong>;

/// Why it does not, or why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It does not hold.
    #[error("{0}")]
    Not(String),
    /// The set-up failed.
    #[error("the set-up failed: {0}")]
    SetUp(String),
    /// Something is lacking.
    #[error("{0}")]
    Blocked(String),
}

/// Turns a condition into a judgement.
pub(crate) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Shown {
    if condition { Ok(()) } else { Err(Wrong::Not(otherwise())) }
}

/// The topics.
const TOPICS: &[&[Scenario]] = &[
    list::SCENARIOS,
    host::SCENARIOS,
    lifecycle::SCENARIOS,
    attach::SCENARIOS,
    flow::SCENARIOS,
    logs::SCENARIOS,
    exec::SCENARIOS,
    files::SCENARIOS,
    events::SCENARIOS,
    images::SCENARIOS,
    troubles::SCENARIOS,
];

/// Every scenario.
pub fn all() -> Vec<&'static Scenario> {
    TOPICS.iter().copied().flatten().collect()
}

impl Scenario {
    /// Whether recordings can decide it.
    pub fn is_replayable(&self) -> bool {
        matches!(self.check, Check::Recorded(..))
    }

    /// Whether it reads the exchanges of a recorded scenario.
    pub(crate) fn reads(&self, recorded: &str) -> bool {
        matches!(self.check, Check::Recorded(name, _) if name == recorded)
    }

    /// Whether it is about a version.
    fn is_about(&self, version: Version) -> bool {
        let from = self.from.parse().unwrap_or(Version::OLDEST);
        Range::new(from, self.until.parse().ok()).is_some_and(|range| range.contains(version))
    }

    fn finding(&self, version: Version, how: How, verdict: Verdict) -> Finding {
        Finding {
            endpoint: self.clauses.iter().find_map(|clause| endpoint_of(clause)).map(str::to_owned),
            clauses: self.clauses.iter().map(|clause| (*clause).to_owned()).collect(),
            how,
            ..Finding::new(format!("scenario {}", self.name), version, verdict)
        }
    }
}

/// The clauses that scenarios decide.
pub fn clauses() -> std::collections::BTreeSet<String> {
    all().iter().flat_map(|scenario| scenario.clauses).map(|clause| (*clause).to_owned()).collect()
}

/// What the exchanges of a recorded scenario decide.
pub fn decided_by(seen: &Seen<'_>, how: How) -> Vec<Finding> {
    let meant = |scenario: &&Scenario| {
        matches!(scenario.check, Check::Recorded(name, _) if name == seen.scenario())
            && scenario.is_about(seen.version())
    };
    all().into_iter().filter(meant).map(|scenario| decide(scenario, seen, how)).collect()
}

fn decide(scenario: &Scenario, seen: &Seen<'_>, how: How) -> Finding {
    let Check::Recorded(_, check) = scenario.check else { unreachable!("the caller chose recorded ones") };
    let seen = seen.afresh();
    let (verdict, reason) = judgement(check(&seen));
    // What looked at nothing has shown nothing.
    let (verdict, reason) = match verdict {
        Verdict::Pass if !seen.has_looked() => (Verdict::Error, "it observed nothing".to_owned()),
        _ => (verdict, reason),
    };
    let mut finding = Finding { reason, ..scenario.finding(seen.version(), how, verdict) };
    if verdict != Verdict::Pass {
        finding.evidence =
            Some(Evidence { exchanges: seen.looked_at(), expected: scenario.name.to_owned(), ..Evidence::default() });
    }
    finding
}

fn judgement(shown: Shown) -> (Verdict, String) {
    match shown {
        Ok(()) => (Verdict::Pass, String::new()),
        Err(wrong) => {
            let verdict = match wrong {
                Wrong::Not(_) => Verdict::Fail,
                Wrong::SetUp(_) => Verdict::Error,
                Wrong::Blocked(_) => Verdict::Blocked,
            };
            (verdict, wrong.to_string())
        }
    }
}

/// What a file of recordings decides.
pub fn replay(version: Version, file: FileName, exchanges: &[((String, String, u32), Exchange)]) -> Vec<Finding> {
    let mut by_scenario: HashMap<&str, HashMap<String, &Exchange>> = HashMap::new();
    for ((scenario, step, nth), exchange) in exchanges {
        let label = if *nth == 1 { step.clone() } else { format!("{step}#{nth}") };
        by_scenario.entry(scenario).or_default().insert(label, exchange);
    }
    let mut findings = Vec::new();
    for scenario in all().into_iter().filter(|scenario| scenario.is_about(version)) {
        match scenario.check {
            Check::Recorded(name, _) => {
                if let Some(steps) = by_scenario.get(name) {
                    findings.push(decide(scenario, &Seen::new(version, name, steps.clone()), How::Replay));
                }
            }
            Check::Live(_) if file.is_own() => {
                let skipped = scenario.finding(version, How::NotReplayable, Verdict::Skipped);
                findings.push(Finding { reason: "recordings cannot decide it".to_owned(), ..skipped });
            }
            Check::Live(_) => {}
        }
    }
    findings
}

/// What acting on a live daemon decides.
pub fn live(
    version: Version,
    client: &Client,
    naming: &Naming,
    options: &Options,
    interrupt: &Interrupt,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for scenario in all().into_iter().filter(|scenario| scenario.is_about(version)) {
        let Check::Live(act) = scenario.check else { continue };
        if interrupt.is_set() || !options.selects(&scenario.finding(version, How::Live, Verdict::Error)) {
            continue;
        }
        let begun = Instant::now();
        let mut stage = Stage::new(version, client, naming.prefix());
        let (verdict, reason) = judgement(act(&mut stage));
        let evidence = (verdict != Verdict::Pass).then(|| stage.evidence(scenario.name));
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        findings.push(Finding { reason, evidence, took_ms, ..scenario.finding(version, How::Live, verdict) });
    }
    findings
}
