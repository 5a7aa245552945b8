//! Looks again at what the recordings show beside the API, in machines of the suite's own, and judges it.

use drydock_spec::{Spec, Version};

use super::{
    Event, Interrupt, Options, Progress,
    lane::{Judge, Place},
    options::Daemon,
};
use crate::{
    cases::RightRequests,
    exchange::{Client, Limits, Request},
    observed::{Done, Machine, MachineError, Observed, Scenario, Stage},
    recorded::{Comparison, Naming, Ran},
    verdict::{Evidence, Finding, Verdict, matches},
};

/// Groups of scenarios whose daemons were started anew for each.
const GROUPS: [&str; 4] = ["inside", "network", "life", "daemon"];

/// What is looked at, and what it is judged by.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    pub(super) options: &'a Options,
    pub(super) spec: &'a Spec,
    pub(super) programs: &'a Daemon,
    pub(super) version: Version,
    /// Requests of this version that do what they are for.
    pub(super) right: &'a RightRequests,
}

/// The name of the check that repeats a look.
pub(super) fn check(scenario: &Scenario, observed: &Observed) -> String {
    format!("observed {}#{}", scenario.name, observed.label())
}

/// Said where nobody asked for the looks.
pub(super) const UNASKED: &str =
    "what containers show from inside and beside takes minutes and is looked at when asked for: --only 'observed *'";

/// The scenarios that are asked for, by name: they take minutes, most of them spent on waiting.
pub(super) fn wanted<'s>(options: &Options, scenarios: &'s [Scenario]) -> Vec<&'s Scenario> {
    let asked = |scenario: &&Scenario| {
        options.clause.is_none()
            && !options.only.is_empty()
            && (options.asks_for(&format!("observed {}", scenario.name), None)
                || scenario.looks().any(|observed| options.asks_for(&check(scenario, observed), None)))
    };
    scenarios.iter().filter(asked).collect()
}

/// Runs the scenarios of a version, each group on a fresh daemon, and judges what was seen.
pub(super) fn run(watch: &Watch<'_>, all: &[Scenario], interrupt: &Interrupt, progress: Progress<'_>) -> Vec<Finding> {
    let wanted = wanted(watch.options, all);
    let mut findings = Vec::new();
    for group in GROUPS {
        let of_group: Vec<&Scenario> = wanted.iter().copied().filter(|scenario| scenario.group() == group).collect();
        if of_group.is_empty() || interrupt.is_set() {
            continue;
        }
        match on_a_machine(watch, all, &of_group, interrupt, progress) {
            Ok(found) => findings.extend(found),
            Err(error) => {
                let lacking = matches!(error, MachineError::Namespaces(_));
                let verdict = if lacking { Verdict::Blocked } else { Verdict::Error };
                findings.extend(of_group.iter().flat_map(|scenario| {
                    let judged = |observed| judged(watch, scenario, observed, verdict, &error.to_string());
                    scenario.looks().map(judged).collect::<Vec<_>>()
                }));
            }
        }
    }
    findings
}

/// Where the suite does not own the daemon's machine, nothing of this can be looked at.
pub(super) fn blocked(options: &Options, version: Version, scenarios: &[Scenario]) -> Vec<Finding> {
    let finding = |scenario: &Scenario| Finding {
        reason: "only a drydockd that the suite starts itself is looked at from inside and beside".to_owned(),
        ..Finding::new(format!("observed {}", scenario.name), version, Verdict::Blocked)
    };
    wanted(options, scenarios).into_iter().map(finding).collect()
}

fn on_a_machine(
    watch: &Watch<'_>,
    all: &[Scenario],
    wanted: &[&Scenario],
    interrupt: &Interrupt,
    progress: Progress<'_>,
) -> Result<Vec<Finding>, MachineError> {
    let mut machine = Machine::new(watch.programs)?;
    machine.start(&[])?;
    let client = Client::new(machine.address(), Limits::default());
    let naming = Naming::recorded();
    let load = Request::new("POST", "/images/load").content("application/x-tar", watch.options.image.archive.clone());
    client.send(load);
    let Watch { options, spec, version, right, .. } = *watch;
    let place = Place { options, spec, client: &client, naming: &naming, registry: false, version, own: true, right };
    let mut judge = Judge::new(&place);
    let mut stage = Stage::new(&mut machine, &client, &naming, watch.version, interrupt.flag());
    let group = wanted.first().map_or("", |scenario| scenario.group());
    for scenario in all.iter().filter(|scenario| scenario.group() == group) {
        let is_wanted = wanted.iter().any(|wanted| std::ptr::eq(*wanted, scenario));
        if interrupt.is_set() || !is_wanted && !sets_up(scenario, wanted) {
            continue;
        }
        let script = scenario.script();
        let done = stage.run(scenario, &script);
        if is_wanted {
            let mut steps = script.steps.iter();
            let mut ran: Vec<Ran<'_>> = Vec::new();
            for done in done {
                match done {
                    Done::Asked(live) => ran.extend(steps.next().map(|step| Ran { step, live: *live })),
                    Done::Seen(observed, seen) => judge.findings.push(compared(watch, scenario, observed, &seen)),
                    Done::Blocked(observed, why) => {
                        let ruled = ruling(watch.spec, watch.version, scenario, observed);
                        let (verdict, why) = match ruled {
                            Some(ruling) => (Verdict::Pass, format!("not looked at, by the ruling {ruling}")),
                            None => (Verdict::Blocked, why),
                        };
                        judge.findings.push(judged(watch, scenario, observed, verdict, &why));
                    }
                }
            }
            judge.script(&script, &ran);
        }
        progress(Event::Done(&format!("{} {}", watch.version, scenario.name)));
    }
    Ok(judge.findings)
}

/// Scenarios that make what others use: images, a container whose namespaces are shared, folders.
fn sets_up(scenario: &Scenario, wanted: &[&Scenario]) -> bool {
    let name = scenario.name.as_str();
    let any = |of: &dyn Fn(&str) -> bool| wanted.iter().any(|wanted| of(&wanted.name));
    match name {
        _ if name.ends_with("/prepare") => true,
        "inside/target" => any(&|name| ["-container", "links", "-host"].iter().any(|word| name.contains(word))),
        "inside/volumes-host-folder" | "inside/volumes-from" => any(&|name| name.starts_with("inside/volume")),
        _ => false,
    }
}

fn compared(watch: &Watch<'_>, scenario: &Scenario, observed: &Observed, seen: &Comparison) -> Finding {
    if seen.is_equal() {
        return judged(watch, scenario, observed, Verdict::Pass, "");
    }
    if let Some(ruling) = ruling(watch.spec, watch.version, scenario, observed) {
        return judged(watch, scenario, observed, Verdict::Pass, &format!("otherwise, by the ruling {ruling}"));
    }
    let mut finding = judged(watch, scenario, observed, Verdict::Fail, &seen.summary());
    finding.evidence = Some(Evidence {
        expected: format!("what {} shows: {}", observed.origin, observed.seen.what),
        differences: vec![seen.summary()],
        diff: Some(seen.diff()),
        ..Evidence::default()
    });
    finding
}

/// The ruling that holds an observation of this version for wrong, or for the machine's.
fn ruling<'s>(spec: &'s Spec, version: Version, scenario: &Scenario, observed: &Observed) -> Option<&'s str> {
    let name = format!("{}/{}", scenario.name, observed.label());
    let holds = |ruling: &&drydock_spec::model::Ruling| {
        ruling.versions.contains(version) && ruling.observations.iter().any(|glob| matches(glob, &name))
    };
    spec.rulings().iter().find(holds).map(|ruling| ruling.id.as_str())
}

fn judged(watch: &Watch<'_>, scenario: &Scenario, observed: &Observed, verdict: Verdict, reason: &str) -> Finding {
    Finding { reason: reason.to_owned(), ..Finding::new(check(scenario, observed), watch.version, verdict) }
}
