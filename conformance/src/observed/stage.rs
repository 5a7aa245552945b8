//! A scenario under way: sends its requests again and looks where the recorder looked.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use drydock_spec::Version;
use nix::sys::signal::Signal;
use regex::Regex;
use serde_json::{Value, json};

use super::{
    beside,
    events::{self, Events},
    inside::{self, Probe, Run},
    look::{self, END, Look},
    machine::{self, Machine},
    normal::{Names, comparable},
    scenario::{Observed, Part, Scenario},
    state::{self, Timeline},
};
use crate::{
    exchange::{Client, Exchange},
    recorded::{Comparison, Lane, Naming, Script},
};

/// How long a state may take to be reached that the recording shows reached.
const SETTLING: Duration = Duration::from_millis(4000);
/// How much longer than recorded something may take, in seconds, on a machine that is busy.
const SLOWER: f64 = 4.0;
/// How often a timeline is asked for.
const TICK: Duration = Duration::from_millis(20);

/// What came of a part of a scenario.
#[derive(Debug)]
pub enum Done<'s> {
    /// A request was sent, and this came.
    Asked(Box<Exchange>),
    /// Something was looked at.
    Seen(&'s Observed, Comparison),
    /// It could not be looked at, and why.
    Blocked(&'s Observed, String),
}

/// A daemon of a version, in a machine of the suite's own.
pub struct Stage<'m> {
    machine: &'m mut Machine,
    client: &'m Client,
    lane: Lane<'m>,
    stop: &'m AtomicBool,
    /// `/v1.19`.
    prefix: String,
}

/// What is known in the middle of a scenario.
struct Scene {
    probe: Probe,
    events: Events,
    timeline: Timeline,
    /// When the last request was sent, and how long its answer took.
    asked: Instant,
    took: Duration,
    /// Names of its containers, in order.
    containers: Vec<String>,
}

impl<'m> Stage<'m> {
    /// On the daemon that runs in a machine; ends early when `stop` is set.
    pub fn new(
        machine: &'m mut Machine,
        client: &'m Client,
        naming: &'m Naming,
        version: Version,
        stop: &'m AtomicBool,
    ) -> Self {
        Self { machine, client, lane: Lane::new(client, naming, stop), stop, prefix: format!("/v{version}") }
    }

    /// Runs a scenario and gives what came of its parts, in order, as far as it came.
    pub fn run<'s>(&mut self, scenario: &'s Scenario, script: &Script) -> Vec<Done<'s>> {
        let shift = self.lane.begin(script);
        let mut scene = Scene {
            probe: Probe::default(),
            events: Events::begin(self.client, &self.prefix),
            timeline: Timeline::default(),
            asked: Instant::now(),
            took: Duration::ZERO,
            containers: Vec::new(),
        };
        let mut done = Vec::new();
        for part in scenario.parts.iter().take_while(|_| !self.stop.load(Ordering::Relaxed)) {
            done.push(match part {
                Part::Ask(step) => {
                    scene.asked = Instant::now();
                    let live = self.lane.perform(&scenario.name, step, &shift);
                    scene.took = scene.asked.elapsed();
                    scene.timeline = Timeline::default();
                    scene.note(&live);
                    Done::Asked(Box::new(live))
                }
                Part::Look(observed) => self.look(&mut scene, observed),
            });
        }
        done
    }

    fn look<'s>(&mut self, scene: &mut Scene, observed: &'s Observed) -> Done<'s> {
        let look = look::look(observed, &scene.probe.script);
        let seen = match look {
            Look::None(why) => return Done::Blocked(observed, why.to_owned()),
            Look::Section(name) => self.section(scene, observed, name),
            Look::Output | Look::FirstOutput => self.output(scene, observed, look == Look::FirstOutput),
            Look::Beside(command) => match self.beside(scene, observed, command) {
                Ok(seen) => seen,
                Err(why) => return Done::Blocked(observed, why),
            },
            Look::InAnother(command) => {
                let command = self.addressed(scene, command);
                self.compared(observed, &inside::another(self.client, &self.prefix, &command))
            }
            Look::State(name) => self.settled(observed, |stage| {
                told_of(&observed.seen.result, state::state(stage.client, &stage.prefix, name))
            }),
            Look::Network(name) => self.settled(observed, |stage| stage.inspect(name)["NetworkSettings"].take()),
            Look::Ports => {
                self.each(scene, observed, |stage, name| stage.inspect(name)["NetworkSettings"]["Ports"].take())
            }
            Look::States => {
                self.each(scene, observed, |stage, name| state::in_a_word(stage.client, &stage.prefix, name).into())
            }
            Look::Addresses => {
                self.each(scene, observed, |stage, name| state::addresses(stage.client, &stage.prefix, name))
            }
            Look::Logs(name) => self.logs(observed, name),
            Look::AllEvents | Look::NewEvents => self.events(scene, observed, look == Look::AllEvents),
            Look::Took => took(observed, scene.took),
            Look::Timeline => self.timeline(scene, observed),
            Look::Links => self.settled(observed, |stage| {
                let about = stage.inspect(scene.containers.last().map_or("", String::as_str));
                json!([about.pointer("/HostConfig/Links"), about.get("Name")])
            }),
            Look::End(signal) => self.end(observed, signal),
            Look::StartAgain(flags) => self.start_again(observed, flags),
            Look::Names | Look::LogConfig | Look::Starts | Look::LogFile | Look::LogFrames | Look::FolderFile => {
                return Done::Blocked(observed, "the suite has no probe for it yet".to_owned());
            }
        };
        Done::Seen(observed, seen)
    }

    fn section(&self, scene: &mut Scene, observed: &Observed, name: &str) -> Comparison {
        let wrote = scene.probe.wrote(self.client, &self.prefix);
        let told = inside::section(wrote, name).unwrap_or_else(|| format!("<nothing> of: {wrote}"));
        let told = match name {
            "ns" => {
                let mut pids = self.pids(scene);
                if scene.probe.run == Run::First {
                    pids.remove(&scene.probe.container);
                }
                inside::namespaces(&told, self.machine, &pids, &scene.probe.container)
            }
            _ => told,
        };
        self.compared(observed, &told)
    }

    fn output(&self, scene: &mut Scene, observed: &Observed, cut: bool) -> Comparison {
        let wrote = scene.probe.wrote(self.client, &self.prefix).to_owned();
        self.compared(observed, if cut { wrote.trim_end() } else { &wrote })
    }

    /// A command with the address that the scenario's container has now.
    fn addressed(&self, scene: &Scene, command: &str) -> String {
        static OF_A_CONTAINER: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\b172\.17\.0\.\d+\b").expect("a fixed pattern"));
        let Some(container) = scene.containers.last().filter(|_| OF_A_CONTAINER.is_match(command)) else {
            return command.to_owned();
        };
        let about = self.inspect(container);
        let address = about.pointer("/NetworkSettings/IPAddress").and_then(Value::as_str).unwrap_or_default();
        OF_A_CONTAINER.replace_all(command, address).into_owned()
    }

    fn beside(&self, scene: &Scene, observed: &Observed, command: &str) -> Result<Comparison, String> {
        let filled = self.addressed(scene, &self.lane.fill(command));
        let line = beside::command(&filled, &self.machine.folder().to_string_lossy());
        let recorded = beside::comparable(command, &text(&observed.seen.result));
        let begun = Instant::now();
        loop {
            let said = self.machine.beside(&line).map_err(|error| error.to_string())?;
            if let Some(program) = beside::lacks(&said) {
                return Err(format!("this machine lacks the program {program}"));
            }
            let said = self.machine.without_own_cgroups(&said);
            let told = self.names().put(&beside::comparable(command, &said));
            let seen = Comparison { recorded: comparable("", &recorded), live: comparable("", &told) };
            if seen.is_equal() || beside::changes(command) || begun.elapsed() > SETTLING {
                return Ok(seen);
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// A value that may take a moment to be as it was recorded.
    fn settled(&self, observed: &Observed, now: impl Fn(&Self) -> Value) -> Comparison {
        let recorded = comparable("", &format!("{:#}", observed.seen.result));
        let begun = Instant::now();
        loop {
            let live = comparable("", &self.names().put(&format!("{:#}", ordered(&observed.seen.result, now(self)))));
            let seen = Comparison { recorded: recorded.clone(), live };
            if seen.is_equal() || begun.elapsed() > SETTLING {
                return seen;
            }
            thread::sleep(Duration::from_millis(40));
        }
    }

    /// A value of each container that the recording tells of.
    fn each(&self, scene: &Scene, observed: &Observed, of: impl Fn(&Self, &str) -> Value) -> Comparison {
        let told: Vec<String> = match &observed.seen.result {
            Value::Object(map) => map.keys().cloned().collect(),
            _ => scene.containers.clone(),
        };
        self.settled(observed, |stage| Value::Object(told.iter().map(|name| (name.clone(), of(stage, name))).collect()))
    }

    fn logs(&self, observed: &Observed, container: &str) -> Comparison {
        let begun = Instant::now();
        loop {
            let seen = self.compared(observed, &inside::logs(self.client, &self.prefix, container));
            if seen.is_equal() || begun.elapsed() > SETTLING {
                return seen;
            }
            thread::sleep(Duration::from_millis(40));
        }
    }

    fn events(&self, scene: &mut Scene, observed: &Observed, all: bool) -> Comparison {
        let recorded = events::recorded(&text(&observed.seen.result));
        let events = match all {
            true => scene.events.all(self.client, &self.prefix, recorded.len()),
            false => scene.events.unseen(self.client, &self.prefix, recorded.len()),
        };
        let live = comparable("", &self.names().put(&events::lines(&events)));
        Comparison { recorded: comparable("", &events::lines(&recorded)), live }
    }

    fn timeline(&self, scene: &mut Scene, observed: &Observed) -> Comparison {
        let all: Vec<String> =
            observed.seen.result.as_array().map_or_else(Vec::new, |lines| {
                lines.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect()
            });
        let recorded = state::lasting(&all);
        let last = all.last().and_then(|line| line.split(" s: ").next()?.parse::<f64>().ok()).unwrap_or_default();
        let within = Duration::from_secs_f64(last + SLOWER);
        let container = scene.containers.last().cloned().unwrap_or_default();
        loop {
            if let Some(about) = inside::inspect(self.client, &self.prefix, &container) {
                scene.timeline.note(&about);
            }
            let told = scene.timeline.told();
            let reached = state::pass_by(&recorded, &told);
            if reached || scene.asked.elapsed() > within {
                let live = if reached { recorded.clone() } else { told };
                return Comparison { recorded: recorded.join("\n"), live: live.join("\n") };
            }
            thread::sleep(TICK);
        }
    }

    fn end(&mut self, observed: &Observed, signal: i32) -> Comparison {
        let begun = Instant::now();
        if let Ok(signal) = Signal::try_from(signal) {
            self.machine.signal(signal);
        }
        let ended = self.machine.await_end(END);
        let recorded = text(&observed.seen.result);
        let (code, seconds) = recorded.split_once(" after ").unwrap_or((&recorded, ""));
        let allowed = seconds.trim_end_matches(" s").parse::<f64>().unwrap_or_default() + SLOWER;
        let slow = if begun.elapsed().as_secs_f64() > allowed { " late" } else { "" };
        let live = ended.map_or_else(|| "it goes on".to_owned(), |status| machine::told(status).to_string());
        Comparison { recorded: code.to_owned(), live: live + slow }
    }

    fn start_again(&mut self, observed: &Observed, flags: &str) -> Comparison {
        let flags: Vec<&str> = flags.split_whitespace().collect();
        let recorded = text(&observed.seen.result).split(" after ").next().unwrap_or_default().to_owned();
        let live = match self.machine.start(&flags) {
            Ok(()) => "answers".to_owned(),
            Err(error) => error.to_string(),
        };
        Comparison { recorded, live }
    }

    fn compared(&self, observed: &Observed, told: &str) -> Comparison {
        let what = &observed.seen.what;
        let recorded = comparable(what, &text(&observed.seen.result));
        let told = self.machine.without_own_cgroups(told);
        Comparison { recorded, live: comparable(what, &self.names().put(&told)) }
    }

    fn names(&self) -> Names {
        Names::new(self.lane.ids())
    }

    fn inspect(&self, container: &str) -> Value {
        inside::inspect(self.client, &self.prefix, container).unwrap_or_default()
    }

    /// The first processes of the scenarios' containers that run, in the daemon's pid namespace.
    fn pids(&self, scene: &Scene) -> BTreeMap<String, u64> {
        let names = ["target".to_owned()].into_iter().chain(scene.containers.iter().cloned());
        let pid = |name: String| {
            let pid = self.inspect(&name).pointer("/State/Pid")?.as_u64().filter(|pid| *pid > 0)?;
            Some((name, pid))
        };
        names.filter_map(pid).collect()
    }
}

impl Scene {
    fn note(&mut self, live: &Exchange) {
        let created = live.request.path().ends_with("/containers/create");
        if let Some(probe) = Probe::made_by(live) {
            if created && !self.containers.contains(&probe.container) {
                self.containers.push(probe.container.clone());
            }
            self.probe = probe;
        }
    }
}

/// Seconds are free within what a busy machine takes longer.
fn took(observed: &Observed, took: Duration) -> Comparison {
    let recorded = observed.seen.result.as_f64().unwrap_or_default();
    let took = took.as_secs_f64();
    let is_right = took > recorded - 0.5 && took < recorded + SLOWER;
    let live = if is_right { recorded.to_string() } else { format!("{took:.1}") };
    Comparison { recorded: recorded.to_string(), live }
}

fn text(result: &Value) -> String {
    match result {
        Value::String(text) => text.clone(),
        other => format!("{other:#}"),
    }
}

/// Of a state, the fields that the recorder chose; all of them where it told of the process.
fn told_of(recorded: &Value, live: Value) -> Value {
    match (recorded, live) {
        (Value::Object(recorded), Value::Object(mut live)) if !recorded.contains_key("Pid") => {
            live.retain(|key, _| recorded.contains_key(key));
            Value::Object(live)
        }
        (_, live) => live,
    }
}

/// A map with its keys in the order of the recorded one: order is free.
fn ordered(recorded: &Value, live: Value) -> Value {
    let (Value::Object(recorded), Value::Object(mut live)) = (recorded, live.clone()) else { return live };
    let mut out = serde_json::Map::new();
    for key in recorded.keys() {
        if let Some(value) = live.remove(key) {
            out.insert(key.clone(), value);
        }
    }
    out.extend(live);
    Value::Object(out)
}
