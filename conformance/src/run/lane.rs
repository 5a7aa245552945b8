//! One version on one daemon: scripts one after another, and what their answers decide.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use drydock_spec::{Spec, Version, judge::Level};

use super::{Event, Interrupt, Options, Progress};
use crate::{
    cases::{self, ContainerState, Ledger, OBJECT, RightRequests, Situation},
    exchange::{Client, Exchange, Limits, NoAnswer, Origin, Request},
    judging::{self, Standing},
    recorded::{Comparison, Lane, Made, Naming, Ran, Script, Step, compare},
    scenarios::{self, Seen},
    verdict::{Evidence, Finding, How, ShownExchange, Verdict, matches},
};

/// Where scripts run, and what they are judged by.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) options: &'a Options,
    pub(super) spec: &'a Spec,
    pub(super) client: &'a Client,
    pub(super) naming: &'a Naming,
    /// Whether the daemon reaches the suite's registry.
    pub(super) registry: bool,
    pub(super) version: Version,
    /// Whether the daemon is the suite's own, fresh, and used by no one else.
    pub(super) own: bool,
    /// Requests of this version that do what they are for.
    pub(super) right: &'a RightRequests,
}

/// Scenarios that need the registry and file server beside the daemon.
const NEED_REGISTRY: [&str; 4] = ["images.create/", "images.push/", "auth/", "build/"];

/// Runs the scripts; gives the findings, and what was made.
pub(super) fn run(
    place: &Place<'_>,
    scripts: &[&Script],
    with_scenarios: bool,
    interrupt: &Interrupt,
    progress: Progress<'_>,
) -> (Vec<Finding>, Made) {
    let mut lane = Lane::new(place.client, place.naming, interrupt.flag());
    if !place.own {
        lane.knows("i:busybox", &busybox(place.client).unwrap_or_default());
    }
    let mut judge = Judge::new(place);
    for script in scripts {
        if interrupt.is_set() {
            break;
        }
        if !place.registry && NEED_REGISTRY.iter().any(|group| script.scenario.starts_with(group)) {
            judge.blocked(script, "the daemon cannot reach the suite's registry");
        } else {
            let ran = lane.run(script);
            judge.script(script, &ran);
            if place.options.fail_fast && judge.findings.iter().any(|f| f.verdict.is_bad() && place.options.selects(f))
            {
                interrupt.set();
            }
        }
        progress(Event::Done(&format!("{} {}", place.version, script.scenario)));
    }
    if with_scenarios && !interrupt.is_set() {
        judge.absent_routes();
        judge.probes(interrupt);
        judge.findings.extend(scenarios::live(place.version, place.client, place.naming, place.options, interrupt));
    }
    let Judge { ledger, mut findings, .. } = judge;
    findings.extend(ledger.into_findings());
    (findings, lane.into_made())
}

fn busybox(client: &Client) -> Option<String> {
    let exchange = client.send(Request::new("GET", "/images/busybox/json"));
    Some(exchange.answer.ok()?.json()?.get("Id")?.as_str()?.to_owned())
}

/// The endpoint of a recorded exchange.
pub(super) fn endpoint<'s>(spec: &'s Spec, version: Version, exchange: &Exchange) -> Option<&'s str> {
    let asked = judging::Asked::new(&exchange.request);
    spec.route(version, &asked.as_spec()).map(|(endpoint, _)| endpoint.id.as_str())
}

/// Whether the spec adds this header to an answer to a recorded request.
fn may_be_added(place: &Place<'_>, asked: &Exchange, name: &str, value: &str) -> bool {
    let endpoint = endpoint(place.spec, place.version, asked).and_then(|id| place.spec.find(id));
    let outcomes = endpoint.into_iter().flat_map(|endpoint| &endpoint.outcomes);
    let answers = outcomes.flat_map(|outcome| outcome.answers(place.version, place.version));
    let mut added = answers.flat_map(|(_, answer)| &answer.additions);
    added.any(|(known, right)| known.eq_ignore_ascii_case(name) && right == value)
}

/// What the answers of scripts decide.
pub(super) struct Judge<'a, 'p> {
    place: &'a Place<'p>,
    ledger: Ledger<'p>,
    /// So far.
    pub(super) findings: Vec<Finding>,
}

impl<'a, 'p> Judge<'a, 'p> {
    /// Has seen nothing yet.
    pub(super) fn new(place: &'a Place<'p>) -> Self {
        let ledger = Ledger::new(place.spec, place.version, place.options.level, How::Live);
        Self { place, ledger: ledger.at(place.client.address()), findings: Vec::new() }
    }

    /// Holds the steps of a script against the spec and their recordings.
    pub(super) fn script(&mut self, script: &Script, ran: &[Ran<'_>]) {
        let place = self.place;
        let comparisons = match place.options.level {
            Level::Exact => {
                compare(script, ran, place.naming, |asked, name, value| may_be_added(place, asked, name, value))
            }
            Level::Documented => Vec::new(),
        };
        let mut broken = Broken::default();
        let mut sound: HashMap<String, &Exchange> = HashMap::new();
        for (index, Ran { step, live }) in ran.iter().enumerate() {
            let label = format!("{}/{}", script.scenario, step.label());
            let asked = recorded_outcome(place.spec, place.version, &step.recorded);
            if step.is_cleanup() {
                continue;
            }
            if let Some(cause) = broken.cause(step) {
                self.set_up_failed(script, step, &cause);
                continue;
            }
            sound.insert(step.label(), live);
            broken.note(step, live);
            if matches!(step.recorded.answer, Err(NoAnswer::NotAsked(_))) {
                continue;
            }
            self.ledger.observe(Situation { label: &label, expected: asked.as_deref(), exchange: live });
            if let Some(comparison) = comparisons.get(index) {
                self.compared(script, step, live, comparison, asked.as_deref());
            }
        }
        let seen = Seen::new(place.version, &script.scenario, sound);
        self.findings.extend(scenarios::decided_by(&seen, How::Live));
    }

    /// The step beside its recording.
    fn compared(
        &mut self,
        script: &Script,
        step: &Step,
        live: &Exchange,
        comparison: &Comparison,
        outcome: Option<&str>,
    ) {
        let place = self.place;
        if ruling(place.spec, &step.recorded).is_some() && outcome.is_none() {
            return;
        }
        let mut finding = self.finding(script, step);
        if comparison.is_equal() || self.is_free(step, live, outcome) {
            finding.verdict = Verdict::Pass;
        } else {
            finding.verdict = Verdict::Fail;
            finding.reason = comparison.summary();
            finding.evidence = Some(Evidence {
                exchanges: vec![ShownExchange::of(live), ShownExchange::of(&step.recorded)],
                expected: format!("the answer of {}", step.recorded.origin),
                differences: vec![comparison.summary()],
                diff: Some(comparison.diff()),
                curl: Some(live.request.curl(&place.client.address().to_string())),
                repeat: String::new(),
            });
        }
        self.findings.push(finding);
    }

    /// Whether a difference is one that the spec leaves open: a text that is promised by its beginning only, a status
    /// that was random.
    fn is_free(&self, step: &Step, live: &Exchange, outcome: Option<&str>) -> bool {
        let judged = judging::judge(self.place.spec, self.place.version, live, Level::Exact);
        let Standing::Is(candidate) = &judged.ruling else { return false };
        let answer = candidate.answer();
        let random = answer.status.all().len() > 1;
        let loose = answer.text.is_some() && answer.tier != drydock_spec::model::Tier::Exact;
        Some(candidate.outcome.id.as_str()) == outcome && (random || loose) && step.recorded.status().is_some()
    }

    fn set_up_failed(&mut self, script: &Script, step: &Step, cause: &str) {
        if self.place.options.level == Level::Exact {
            let mut finding = self.finding(script, step);
            finding.verdict = Verdict::Blocked;
            finding.reason = format!("step {cause} did not do what this one builds on");
            self.findings.push(finding);
        }
    }

    fn blocked(&mut self, script: &Script, why: &str) {
        self.findings.push(Finding {
            reason: why.to_owned(),
            ..Finding::new(format!("recorded {}", script.scenario), self.place.version, Verdict::Blocked)
        });
    }

    fn finding(&self, script: &Script, step: &Step) -> Finding {
        Finding {
            endpoint: endpoint(self.place.spec, self.place.version, &step.recorded).map(str::to_owned),
            ..Finding::new(format!("recorded {}#{}", script.scenario, step.label()), self.place.version, Verdict::Error)
        }
    }

    /// Each outcome that the suite knows how to bring about, in a situation made for it.
    fn probes(&mut self, interrupt: &Interrupt) {
        let place = self.place;
        for (number, probe) in cases::probes(place.spec, place.version, place.right).into_iter().enumerate() {
            let check = format!("case {}/{}", probe.endpoint, probe.outcome);
            let due = self.ledger.judges(&probe.endpoint, &probe.outcome);
            if interrupt.is_set() || !due || !place.options.asks_for(&check, Some(&probe.endpoint)) {
                continue;
            }
            let name = format!("{}probe-{number}", place.naming.prefix());
            let mut request = probe.request.clone();
            request.target = request.target.replace(OBJECT, &name);
            let made = probe.needs.map(|state| self.bring_about(&name, state)).unwrap_or(Ok(()));
            match made {
                Ok(()) => {
                    let exchange = place.client.send_within(request, Limits::default().within(Duration::from_secs(5)));
                    let label = format!("probe {}/{}", probe.endpoint, probe.outcome);
                    let situation = Situation { label: &label, expected: Some(&probe.outcome), exchange: &exchange };
                    self.ledger.observe(situation);
                }
                Err(failed) => self.findings.push(Finding {
                    endpoint: Some(probe.endpoint.clone()),
                    reason: "the container that it needs cannot be made".to_owned(),
                    evidence: Some(Evidence {
                        exchanges: vec![ShownExchange::of(&failed)],
                        expected: format!("a container that is {:?}", probe.needs).to_lowercase(),
                        ..Evidence::default()
                    }),
                    ..Finding::new(format!("probe {}/{}", probe.endpoint, probe.outcome), place.version, Verdict::Error)
                }),
            }
            if probe.needs.is_some() {
                let delete = || Request::new("DELETE", format!("/containers/{name}?force=1&v=1"));
                if !matches!(place.client.send(delete()).status(), Some(204 | 404)) {
                    place.client.send(Request::new("POST", format!("/containers/{name}/unpause")));
                    place.client.send(delete());
                }
            }
        }
    }

    /// Makes a container of this name in this state; gives back the exchange that failed.
    fn bring_about(&self, name: &str, state: ContainerState) -> Result<(), Box<Exchange>> {
        let place = self.place;
        let send = |method: &str, target: String, body: Option<serde_json::Value>| {
            let request = Request::new(method, format!("/v{}{target}", place.version));
            let request = body.map(|body| request.clone().json(&body)).unwrap_or(request);
            let exchange = place.client.send(request);
            let done = exchange.status().is_some_and(|status| (200..300).contains(&status));
            if done { Ok(()) } else { Err(Box::new(exchange)) }
        };
        let command = if state == ContainerState::Exited { "true" } else { "sleep 1000" };
        let body = serde_json::json!({"Image": "busybox", "Cmd": ["sh", "-c", command]});
        send("POST", format!("/containers/create?name={name}"), Some(body))?;
        if state == ContainerState::Created {
            return Ok(());
        }
        send("POST", format!("/containers/{name}/start"), None)?;
        match state {
            ContainerState::Paused => send("POST", format!("/containers/{name}/pause"), None),
            ContainerState::Exited => send("POST", format!("/containers/{name}/wait"), None),
            ContainerState::Created | ContainerState::Running => Ok(()),
        }
    }

    /// What the version lacks does not exist under its prefix.
    fn absent_routes(&mut self) {
        let place = self.place;
        if place.options.level != Level::Exact {
            return;
        }
        for (id, request) in cases::absent_routes(place.spec, place.version) {
            let exchange = place.client.send_within(request, Limits::default());
            let absent = exchange.status() == Some(404)
                && exchange.answer.as_ref().is_ok_and(|response| response.text().trim_end() == "404 page not found");
            let mut finding = Finding {
                endpoint: Some(id.clone()),
                ..Finding::new(format!("route {id} (absent)"), place.version, Verdict::Pass)
            };
            if !absent {
                finding.verdict = Verdict::Fail;
                finding.reason = format!("the version lacks it, and the answer is {:?}", exchange.status());
                finding.evidence = Some(Evidence {
                    exchanges: vec![ShownExchange::of(&exchange)],
                    expected: "404 page not found".to_owned(),
                    curl: Some(exchange.request.curl(&place.client.address().to_string())),
                    ..Evidence::default()
                });
            }
            self.findings.push(finding);
        }
    }
}

/// The outcome that a recorded exchange was, which the same situation calls for again.
fn recorded_outcome(spec: &Spec, version: Version, recorded: &Exchange) -> Option<String> {
    match judging::judge(spec, version, recorded, Level::Exact).ruling {
        Standing::Is(candidate) => Some(candidate.outcome.id.clone()),
        _ => None,
    }
}

/// The ruling that judges a recorded exchange wrong.
fn ruling<'s>(spec: &'s Spec, recorded: &Exchange) -> Option<&'s str> {
    let Origin::Recorded { file, scenario, step, .. } = &recorded.origin else { return None };
    let name = format!("{file} {scenario}/{step}");
    let lists = |ruling: &&drydock_spec::model::Ruling| ruling.exchanges.iter().any(|glob| matches(glob, &name));
    spec.rulings().iter().find(lists).map(|ruling| ruling.id.as_str())
}

/// What set-up steps failed to bring about: a step that speaks of it says nothing of the daemon.
#[derive(Default)]
struct Broken {
    /// Names and places of objects, by the step that failed.
    objects: BTreeMap<String, String>,
    /// Objects that are as the recording had them.
    whole: BTreeSet<String>,
}

impl Broken {
    fn note(&mut self, step: &Step, live: &Exchange) {
        let success = |status: Option<u16>| status.is_some_and(|status| (101..300).contains(&status));
        let sets_up = step.request.method == "POST" && success(step.recorded.status());
        if !sets_up {
            return;
        }
        for object in objects(step, true) {
            if success(live.status()) {
                self.objects.remove(&object);
                self.whole.insert(object);
            } else {
                self.objects.insert(object, step.label());
            }
        }
    }

    fn cause(&self, step: &Step) -> Option<String> {
        let creates = step.request.method == "POST" && step.request.path().ends_with("/containers/create");
        objects(step, false).into_iter().filter(|_| !creates).find_map(|object| self.objects.get(&object).cloned())
    }
}

/// The objects that a step makes, or speaks of: containers by name, execs by the placeholder of their id.
fn objects(step: &Step, makes: bool) -> Vec<String> {
    let path = step.request.path();
    if makes && path.ends_with("/exec") {
        let Origin::Recorded { scenario, .. } = &step.recorded.origin else { return Vec::new() };
        return vec![format!("{{id:{scenario}/{}}}", step.name)];
    }
    if path.ends_with("/containers/create") {
        let query = step.request.query().unwrap_or_default();
        let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
        return name.map(|name| format!("container {name}")).into_iter().collect();
    }
    // A placeholder may hold slashes.
    let object = |rest: &str| match rest.find('}') {
        Some(end) if rest.starts_with('{') => rest[..=end].to_owned(),
        _ => rest.split('/').next().unwrap_or_default().to_owned(),
    };
    match (path.split_once("/containers/"), path.split_once("/exec/")) {
        (Some((_, "json" | "ps")), _) => Vec::new(),
        (Some((_, rest)), _) => vec![format!("container {}", object(rest))],
        (None, Some((_, rest))) => vec![object(rest)].into_iter().filter(|object| object != "none").collect(),
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_builds_on_what_its_path_names() {
        let step = |target: &str| Step {
            name: "s".into(),
            nth: 1,
            request: Request::new("POST", target),
            recorded: Exchange {
                origin: Origin::Live,
                request: Request::new("POST", target),
                answer: Err(NoAnswer::Closed),
                took: Duration::ZERO,
            },
            sent_before: None,
            named_by: None,
            ruled: crate::recorded::Ruled::Right,
        };
        for (target, expected) in [
            ("/v1.19/containers/create?name=web", vec!["container web"]),
            ("/v1.19/containers/web/start", vec!["container web"]),
            ("/v1.19/containers/json", vec![]),
            ("/v1.19/exec/{id:exec/all/echo-create}/start", vec!["{id:exec/all/echo-create}"]),
            ("/v1.19/exec/none/start", vec![]),
            ("/v1.19/images/busybox/json", vec![]),
        ] {
            assert_eq!(objects(&step(target), false), expected, "{target}");
        }
    }
}
