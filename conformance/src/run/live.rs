//! Judges a live daemon: runs the recorded scenarios and the hand-written ones, and holds every answer against the
//! spec, the recordings and what the scenarios are about.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use drydock_spec::{Spec, Version, judge::Level};

use super::{
    Event, Interrupt, Options, Outcome, OwnDaemon, Progress, RunError, Target,
    lane::{self, Place},
    manners::Manners,
    observe::{self, Watch},
};
use crate::{
    cases::{Ledger, RightRequests, Situation, right_requests},
    exchange::{Client, Limits, Recordings, Request},
    observed::{self, Scenario},
    recorded::{BESIDE_THE_API, Bodies, Made, Naming, Script, apply_rulings, registry::Registry, scripts},
    scenarios,
    verdict::{self, Finding, How},
};

/// What is known of a version before the run.
struct Plan {
    version: Version,
    scripts: Vec<Script>,
    /// What was seen beside the API.
    observed: Vec<Scenario>,
    /// Requests that do what they are for, by endpoint.
    right: RightRequests,
}

/// A part of the work that is done in one go.
struct Unit<'s> {
    plan: &'s Plan,
    scripts: Vec<&'s Script>,
    /// Whether the hand-written scenarios run after the scripts.
    scenarios: bool,
    /// Whether, in place of all this, containers and daemon are looked at from inside and beside.
    observes: bool,
}

/// Scenarios that take the image away from others which need it, or share tags with these: they run alone, after all others.
const ALONE: [&str; 4] = ["images.tag/", "images.delete/", "images.load-save/", "images.load/"];

pub(super) fn run(
    options: &Options,
    spec: &Spec,
    recordings: &Recordings,
    interrupt: &Interrupt,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let bodies = Bodies::read(recordings, &options.image)?;
    let mut plans = Vec::new();
    for version in options.versions.iter().copied() {
        let mut scripts = scripts(recordings, &bodies, version)?;
        apply_rulings(spec, recordings, version, &mut scripts)?;
        let recorded = scripts.iter().flat_map(|script| &script.steps).map(|step| &step.recorded);
        let right = right_requests(spec, version, recorded);
        let observed = match options.level {
            Level::Exact => observed::scenarios(recordings, &bodies, version)?,
            Level::Documented => Vec::new(),
        };
        plans.push(Plan { version, scripts, observed, right });
    }
    match &options.target {
        Target::Own(_) => own(options, spec, &plans, interrupt, progress),
        Target::Daemon(address) => {
            let client = Client::new(address.clone(), Limits::default());
            theirs(options, spec, &client, &plans, interrupt, progress)
        }
        Target::Recordings(_) => unreachable!("recordings are replayed"),
    }
}

/// A daemon of our own for each version: the scenarios run as they were recorded, in order, on a fresh one.
fn own(
    options: &Options,
    spec: &Spec,
    plans: &[Plan],
    interrupt: &Interrupt,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let Target::Own(programs) = &options.target else { unreachable!("the caller saw that it is ours") };
    let answers =
        plans.iter().map(|plan| Unit { plan, scripts: wanted(options, spec, plan), scenarios: true, observes: false });
    let looks = plans.iter().filter(|plan| !observe::wanted(options, &plan.observed).is_empty()).map(|plan| Unit {
        plan,
        scripts: Vec::new(),
        scenarios: false,
        observes: true,
    });
    let units: Vec<Unit<'_>> = answers.chain(looks).collect();
    let looks: usize = plans.iter().map(|plan| observe::wanted(options, &plan.observed).len()).sum();
    progress(Event::Planned(looks + units.iter().map(|unit| unit.scripts.len()).sum::<usize>()));
    let unasked = (looks == 0 && options.only.is_empty()).then(|| observe::UNASKED.to_owned());
    let remarks: Mutex<Vec<String>> = Mutex::new(unasked.into_iter().collect());
    let failed: Mutex<Option<RunError>> = Mutex::default();
    let findings = each(options, interrupt, &units, |unit| {
        if unit.observes {
            let Plan { version, observed, right, .. } = unit.plan;
            let watch = Watch { options, spec, programs, version: *version, right };
            return observe::run(&watch, observed, interrupt, progress);
        }
        let mut daemon = match OwnDaemon::start(programs) {
            Ok(daemon) => daemon,
            Err(error) => {
                failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get_or_insert(error.into());
                interrupt.set();
                return Vec::new();
            }
        };
        let client = Client::new(daemon.address(), Limits::default());
        let registry = Registry::beside(daemon.pid());
        let naming = Naming::recorded();
        let place = Place {
            options,
            spec,
            client: &client,
            naming: &naming,
            registry: registry.is_ok(),
            version: unit.plan.version,
            own: true,
            right: &unit.plan.right,
        };
        let findings = lane::run(&place, &unit.scripts, unit.scenarios, interrupt, progress).0;
        if let Some(status) = daemon.ended() {
            let words =
                format!("drydockd ended by itself in {}, with {status}: {}", unit.plan.version, daemon.last_words());
            remarks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(words);
        }
        findings
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        return Err(error);
    }
    let target = verdict::Target { name: "drydockd".to_owned(), daemon: None, replay: false };
    Ok(Outcome { target, findings, remarks: remarks.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) })
}

/// A daemon that serves others too: everything carries the run's name, and goes when the run does.
fn theirs(
    options: &Options,
    spec: &Spec,
    client: &Client,
    plans: &[Plan],
    interrupt: &Interrupt,
    progress: Progress<'_>,
) -> Result<Outcome, RunError> {
    let unreachable = |why: String| RunError::Unreachable { target: client.address().to_string(), why };
    let ping = client.send_within(Request::new("GET", "/version"), Limits::default().within(Duration::from_secs(10)));
    let about = match &ping.answer {
        Err(error) => return Err(unreachable(error.to_string())),
        Ok(response) => response.json(),
    };
    let word = |key: &str| about.as_ref().and_then(|about| about.get(key)?.as_str()).unwrap_or("?").to_owned();
    let daemon = format!("{} (API {})", word("Version"), word("ApiVersion"));
    let manners = Manners::begin(client).map_err(unreachable)?;
    manners.load_image(&options.image).map_err(unreachable)?;
    let registry = manners.registry();

    let units: Vec<Unit<'_>> = plans
        .iter()
        .flat_map(|plan| {
            let mut units: Vec<Unit<'_>> = Vec::new();
            let mut group = "";
            for script in wanted(options, spec, plan).into_iter().filter(|script| !is_alone(script)) {
                if group_of(&script.scenario) != group || units.is_empty() {
                    group = group_of(&script.scenario);
                    units.push(Unit { plan, scripts: Vec::new(), scenarios: false, observes: false });
                }
                units.last_mut().expect("one was just pushed").scripts.push(script);
            }
            units.push(Unit { plan, scripts: Vec::new(), scenarios: true, observes: false });
            units
        })
        .collect();
    let alone: Vec<Unit<'_>> = plans
        .iter()
        .map(|plan| {
            let scripts = wanted(options, spec, plan).into_iter().filter(|script| is_alone(script));
            Unit { plan, scripts: scripts.collect(), scenarios: false, observes: false }
        })
        .collect();
    progress(Event::Planned(units.iter().chain(&alone).map(|unit| unit.scripts.len()).sum()));
    let made: Mutex<Made> = Mutex::default();
    let work = |unit: &Unit<'_>| {
        let naming = Naming::prefixed(&format!("{}-{}-", options.run, unit.plan.version.minor()));
        let place = Place {
            options,
            spec,
            client,
            naming: &naming,
            registry: registry.is_ok(),
            version: unit.plan.version,
            own: false,
            right: &unit.plan.right,
        };
        let (findings, of_unit) = lane::run(&place, &unit.scripts, unit.scenarios, interrupt, progress);
        manners.remove_containers(&of_unit.containers);
        made.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(of_unit);
        findings
    };
    let mut findings = each(options, interrupt, &units, work);
    for unit in alone.iter().take_while(|_| !interrupt.is_set()) {
        manners.load_image(&options.image).map_err(unreachable)?;
        findings.extend(work(unit));
    }
    findings.extend(plans.iter().flat_map(|plan| observe::blocked(options, plan.version, &plan.observed)));
    let made = made.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut remarks = manners.end(&options.run, &made);
    if let Err(why) = registry {
        remarks.push(format!("pull and push are blocked: {why}"));
    }
    let target = verdict::Target { name: options.target.to_string(), daemon: Some(daemon), replay: false };
    Ok(Outcome { target, findings: joined(findings), remarks })
}

/// A check that several units of a version decided: the gravest counts.
fn joined(findings: Vec<Finding>) -> Vec<Finding> {
    let mut by_check: std::collections::BTreeMap<(String, Version), Finding> = std::collections::BTreeMap::new();
    for finding in findings {
        match by_check.entry((finding.check.clone(), finding.version)) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(finding);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let known = place.get_mut();
                let took = known.took_ms + finding.took_ms;
                if finding.verdict > known.verdict {
                    *known = finding;
                }
                known.took_ms = took;
            }
        }
    }
    by_check.into_values().collect()
}

fn is_alone(script: &Script) -> bool {
    ALONE.iter().any(|group| script.scenario.starts_with(group))
}

/// Scenarios that know each other's objects.
fn group_of(scenario: &str) -> &str {
    match scenario.split('/').next().unwrap_or(scenario) {
        "json-body" => "containers.create",
        group => group,
    }
}

/// The scripts that are asked for, with the one that brings the image, and those that set up and tidy for others.
fn wanted<'s>(options: &Options, spec: &Spec, plan: &'s Plan) -> Vec<&'s Script> {
    let Plan { version, scripts, .. } = plan;
    let version = *version;
    let group = |script: &Script| script.scenario.split('/').next().unwrap_or_default().to_owned();
    let api: Vec<&Script> = scripts.iter().filter(|script| !BESIDE_THE_API.contains(&group(script).as_str())).collect();
    let used = |script: &Script| {
        let endpoints = script.steps.iter().filter_map(|step| lane::endpoint(spec, version, &step.recorded));
        endpoints.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut picked = options.choose(&api, used);
    if options.level == Level::Documented && options.only.is_empty() {
        picked = covering(spec, version, &picked);
    }
    let helps = |script: &Script| {
        script.scenario == "images.load/busybox"
            || (script.scenario.ends_with("/setup") || script.scenario.ends_with("/cleanup"))
                && picked.iter().any(|picked| group_of(&picked.scenario) == group_of(&script.scenario))
    };
    let is_picked = |script: &Script| picked.iter().any(|picked| std::ptr::eq(*picked, script));
    api.iter().copied().filter(|script| is_picked(script) || helps(script)).collect()
}

/// At `documented`, the scripts that decide something which none before them does: most of the recorded scenarios
/// differ in what the documents do not speak of.
fn covering<'s>(spec: &Spec, version: Version, scripts: &[&'s Script]) -> Vec<&'s Script> {
    let mut covered = BTreeSet::new();
    let decides = |script: &Script| -> BTreeSet<String> {
        let mut ledger = Ledger::new(spec, version, Level::Documented, How::Replay);
        for step in script.steps.iter().filter(|step| !step.is_cleanup()) {
            ledger.observe(Situation { label: &step.name, expected: None, exchange: &step.recorded });
        }
        ledger.into_findings().into_iter().map(|finding| finding.check).collect()
    };
    let mut kept = Vec::new();
    for script in scripts {
        let decided = decides(script);
        let bound = scenarios::all().iter().any(|scenario| scenario.reads(&script.scenario));
        if bound || !decided.is_subset(&covered) {
            covered.extend(decided);
            kept.push(*script);
        }
    }
    kept
}

/// Does the units, as many at once as asked for.
fn each<'s>(
    options: &Options,
    interrupt: &Interrupt,
    units: &[Unit<'s>],
    work: impl Fn(&Unit<'s>) -> Vec<Finding> + Sync,
) -> Vec<Finding> {
    let next = AtomicUsize::new(0);
    let findings: Mutex<Vec<Finding>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, units.len().max(1)) {
            scope.spawn(|| {
                while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if interrupt.is_set() {
                        break;
                    }
                    let found = work(unit);
                    if options.fail_fast
                        && found.iter().any(|finding| finding.verdict.is_bad() && options.selects(finding))
                    {
                        interrupt.set();
                    }
                    findings.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(found);
                }
            });
        }
    });
    findings.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}
