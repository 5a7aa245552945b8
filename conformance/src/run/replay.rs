//! Judges recordings in place of a daemon: every check reads what genuine daemons did.
//!
//! A daemon's own version is judged at `exact`, also where it was asked without a prefix. Under older prefixes a later
//! daemon is judged at `documented`, as if it claimed to be a daemon of that version.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use drydock_spec::{Spec, Version, judge::Level};

use super::{Event, Options, Outcome, Progress, RunError};
use crate::{
    cases::{Ledger, Situation},
    evidence::each_file,
    exchange::{Api, Exchange, FileName, Origin, RecordingError, Recordings},
    judging::{self, Standing},
    scenarios,
    verdict::{self, Finding, How, matches},
};

/// What a version's own daemon did in each situation: scenario, step and nth, and the outcome that it was.
type Expected = HashMap<Place, String>;

/// Scenario, step, and which run of the step.
type Place = (String, String, u32);

pub(super) fn run(
    options: &Options,
    spec: &Spec,
    recordings: &Recordings,
    daemon: Option<Version>,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    progress(Event::Planned(27));
    let expected: Mutex<BTreeMap<Version, Expected>> = Mutex::default();
    each_file(|file| {
        if file.is_own() {
            let outcomes = expectations(spec, recordings, file)?;
            expected.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(file.daemon, outcomes);
        }
        Ok(())
    })?;
    let expected = expected.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let parts = each_file(|file| {
        let judged_as = judged_as(file);
        let wanted = daemon.is_none_or(|daemon| daemon == file.daemon) && options.versions.contains(&judged_as);
        let part = match wanted {
            true => judge_file(spec, recordings, file, expected.get(&judged_as)),
            false => Ok((Vec::new(), 0)),
        };
        progress(Event::Done(&file.to_string()));
        part
    })?;
    let ruled: usize = parts.iter().map(|(_, ruled)| ruled).sum();
    let mut remarks = vec![format!("{ruled} recorded exchanges are judged wrong by a ruling and left out")];
    let needs_life = scenarios::all().iter().filter(|scenario| !scenario.is_replayable()).count();
    remarks.push(format!("{needs_life} scenarios cannot be decided by replay: they are listed as skipped"));
    Ok(Outcome {
        target: verdict::Target { name: options.target.to_string(), daemon: None, replay: true },
        findings: parts.into_iter().flat_map(|(findings, _)| findings).collect(),
        remarks,
    })
}

/// The version that a file's daemon is judged as.
fn judged_as(file: FileName) -> Version {
    match file.api {
        Api::Unversioned => file.daemon,
        Api::Version(version) => version,
    }
}

fn level(file: FileName) -> Level {
    if judged_as(file) == file.daemon { Level::Exact } else { Level::Documented }
}

fn expectations(spec: &Spec, recordings: &Recordings, file: FileName) -> Result<Expected, RecordingError> {
    let mut expected = Expected::new();
    for (key, exchange) in exchanges(recordings, file)? {
        let judged = judging::judge(spec, file.daemon, &exchange, Level::Exact);
        if let Standing::Is(candidate) = judged.ruling {
            expected.insert(key, candidate.outcome.id.clone());
        }
    }
    Ok(expected)
}

fn exchanges(recordings: &Recordings, file: FileName) -> Result<Vec<(Place, Exchange)>, RecordingError> {
    let mut counts: HashMap<(String, String), u32> = HashMap::new();
    let numbered = recordings.read(file)?.into_iter().filter_map(|record| {
        let (scenario, step) = (record.scenario.clone(), record.step.clone());
        let exchange = record.into_exchange()?;
        let nth = counts.entry((scenario.clone(), step.clone())).or_default();
        *nth += 1;
        Some(((scenario, step, *nth), exchange))
    });
    Ok(numbered.collect())
}

fn judge_file(
    spec: &Spec,
    recordings: &Recordings,
    file: FileName,
    expected: Option<&Expected>,
) -> Result<(Vec<Finding>, usize), RecordingError> {
    let version = judged_as(file);
    let mut ledger = Ledger::new(spec, version, level(file), How::Replay);
    let exchanges = exchanges(recordings, file)?;
    let rulings: Vec<&str> = spec.rulings().iter().flat_map(|ruling| &ruling.exchanges).map(String::as_str).collect();
    let mut ruled = 0;
    for (key, exchange) in &exchanges {
        let Origin::Recorded { scenario, step, .. } = &exchange.origin else { continue };
        // A ruling that lists an exchange judges the daemon wrong: there is nothing to hold against the spec.
        if !is_described(spec, version, exchange) {
            let name = format!("{file} {scenario}/{step}");
            if rulings.iter().any(|glob| matches(glob, &name)) {
                ruled += 1;
                continue;
            }
        }
        let label = format!("{}/{}", key.0, key.1);
        let outcome = expected.and_then(|expected| expected.get(key)).map(String::as_str);
        // Under an older prefix, what that version's daemon was not asked says nothing.
        if level(file) == Level::Documented && (outcome.is_none() || step.starts_with("cleanup")) {
            continue;
        }
        let expected = outcome.filter(|_| level(file) == Level::Documented);
        ledger.observe(Situation { label: &label, expected, exchange });
    }
    let mut findings = ledger.into_findings();
    findings.extend(scenarios::replay(version, file, &exchanges));
    // Several files are judged as one version: each is a run of its own.
    if !file.is_own() {
        for finding in &mut findings {
            finding.check = format!("{} [{file}]", finding.check);
        }
    }
    Ok((findings, ruled))
}

fn is_described(spec: &Spec, version: Version, exchange: &Exchange) -> bool {
    matches!(judging::judge(spec, version, exchange, Level::Exact).ruling, Standing::Is(_) | Standing::Several(_))
}
