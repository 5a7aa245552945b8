//! Runs scripts on a live daemon, one after the other, as they were recorded.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use regex::{Captures, Regex};
use serde_json::Value;

use super::{
    beginnings,
    naming::Naming,
    script::{Script, Step},
};
use crate::exchange::{Client, Content, Conversation, Exchange, Limits, NoAnswer, Request, RequestBody};

/// How long an answer may take that the genuine daemon gave at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an exchange may take to be under way.
const UNDER_WAY: Duration = Duration::from_millis(500);
/// How long a state may take to be reached that the recording shows reached.
const SETTLING: Duration = Duration::from_millis(2500);
/// How much of a lane's time may go into waiting for states that never come.
const SETTLING_IN_ALL: Duration = Duration::from_secs(120);

/// Requests that show what a container's command has done by then.
const LOOK_INSIDE: [&str; 5] = ["/copy", "/export", "/changes", "/commit", "/top"];
/// How long a container's command is given for its first work, which the recorder waited for.
const FIRST_WORK: Duration = Duration::from_millis(500);

/// The two layers of the test image, whose ids its archive gives to daemons of these versions.
const IMAGES: [(&str, &str); 2] = [
    ("i:busybox", "e3259298161d4b5c808d00b995841d5b1d5054f406e2b1730ad9eb9b02b5fe70"),
    ("i:scratch", "86e4537c1740da1809810d412a42a31a1c3588f678d10ed1c0f1f8c5c400eda7"),
];

/// A place in a daemon's life where scripts run one after another; their objects are known to those that follow.
pub struct Lane<'a> {
    client: &'a Client,
    naming: &'a Naming,
    stop: &'a AtomicBool,
    ids: HashMap<String, String>,
    made: Made,
    settling_left: Duration,
    /// The step before started a container, whose command may still be at its first work.
    just_started: bool,
}

/// What scripts made, whether it still exists or not.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Ids of containers.
    pub containers: Vec<String>,
    /// Ids of images, without their algorithm.
    pub images: BTreeSet<String>,
    /// Tags that images were given: `repository:tag`.
    pub tags: BTreeSet<String>,
}

impl Made {
    /// Adds what another lane made.
    pub fn extend(&mut self, other: Made) {
        self.containers.extend(other.containers);
        self.images.extend(other.images);
        self.tags.extend(other.tags);
    }
}

/// A step that was run.
#[derive(Clone, Debug)]
pub struct Ran<'s> {
    /// The step.
    pub step: &'s Step,
    /// What came of it.
    pub live: Exchange,
}

impl<'a> Lane<'a> {
    /// A lane on the daemon behind `client`, which ends early when `stop` is set.
    pub fn new(client: &'a Client, naming: &'a Naming, stop: &'a AtomicBool) -> Self {
        let ids = IMAGES.iter().map(|(key, id)| ((*key).to_owned(), (*id).to_owned())).collect();
        Self { client, naming, stop, ids, made: Made::default(), settling_left: SETTLING_IN_ALL, just_started: false }
    }

    /// The times of a script, which begins now.
    pub(crate) fn begin(&self, script: &Script) -> Shift {
        Shift::new(script, SystemTime::now())
    }

    /// Runs one step of a script that began, and remembers what it made.
    pub(crate) fn perform(&mut self, scenario: &str, step: &Step, shift: &Shift) -> Exchange {
        let live = self.step(step, shift);
        self.note(scenario, step, &live);
        live
    }

    /// Runs a script and gives its steps in order, as far as it came.
    pub fn run<'s>(&mut self, script: &'s Script) -> Vec<Ran<'s>> {
        let shift = self.begin(script);
        let mut under_way: BTreeMap<String, Conversation> = BTreeMap::new();
        let mut ran = Vec::new();
        for step in &script.steps {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            for later in script.steps.iter().filter(|later| later.sent_before == Some(step.name.as_str())) {
                let mut conversation = self.client.open(self.request(later, &shift), limits(later));
                // What is sent next meets it under way. Some daemons have no head until something happens.
                conversation.allow(UNDER_WAY);
                conversation.await_head();
                under_way.insert(later.label(), conversation);
            }
            let live = match under_way.remove(&step.label()) {
                Some(mut conversation) => {
                    let ends = step.recorded.answer.as_ref().is_ok_and(|response| !response.left_early());
                    conversation.allow(if ends { PATIENCE } else { Duration::from_secs(1) });
                    conversation.finish()
                }
                None => self.step(step, &shift),
            };
            self.note(&script.scenario, step, &live);
            ran.push(Ran { step, live });
        }
        ran
    }

    fn note(&mut self, scenario: &str, step: &Step, live: &Exchange) {
        self.just_started = step.request.method == "POST" && step.request.path().ends_with("/start");
        self.learn(scenario, step, live);
    }

    fn step(&mut self, step: &Step, shift: &Shift) -> Exchange {
        if let Err(NoAnswer::NotAsked(_)) = step.recorded.answer {
            return step.recorded.clone();
        }
        if self.just_started && meets_the_command(&step.request) {
            thread::sleep(FIRST_WORK);
        }
        let request = self.request(step, shift);
        let mut live = self.client.send_within(request.clone(), limits(step));
        // What the recorder waited for is not recorded: a state may come a moment later here.
        let begun = Instant::now();
        let waits = step.request.method == "GET" && step.request.raw.is_none() && !step.is_cleanup();
        while waits && !has_settled(&step.recorded, &live) && begun.elapsed() < SETTLING.min(self.settling_left) {
            thread::sleep(Duration::from_millis(40));
            live = self.client.send_within(request.clone(), limits(step));
        }
        if waits {
            self.settling_left = self.settling_left.saturating_sub(begun.elapsed());
        }
        live
    }

    /// The step's request with the ids, names and times of now.
    fn request(&self, step: &Step, shift: &Shift) -> Request {
        let mut request = self.naming.apply(step.request.clone());
        request.target = shift.apply(&self.fill(&request.target));
        if let RequestBody::Bytes(bytes) = &request.body
            && let Ok(text) = std::str::from_utf8(bytes)
            && text.contains('{')
        {
            request.body = RequestBody::Bytes(self.fill(text).into_bytes());
        }
        request
    }

    /// A text with the ids of now in place of `{c:NAME}` and the like.
    pub(crate) fn fill(&self, text: &str) -> String {
        beginnings::fill(text, |key| self.ids.get(key).map(String::as_str), &self.made.containers)
    }

    /// Remembers the ids that an answer brings.
    fn learn(&mut self, scenario: &str, step: &Step, live: &Exchange) {
        let Ok(response) = &live.answer else { return };
        if step.request.method == "POST" && response.status < 300 {
            self.made.tags.extend(tag(&live.request));
            let lines = response.json_lines().unwrap_or_default();
            let named = lines.iter().filter_map(|line| line.get("status").or(line.get("Id"))?.as_str()).map(bare);
            self.made.images.extend(named.filter(|id| id.len() == 64));
        }
        let is = |method: &str, end: &str| step.request.method == method && step.request.path().ends_with(end);
        let id = response.json().and_then(|body| body.get("Id").and_then(Value::as_str).map(bare));
        if let Some(id) = id {
            self.ids.insert(format!("id:{scenario}/{}", step.name), id.clone());
            if is("POST", "/containers/create") {
                let query = step.request.query().unwrap_or_default();
                let name = query.split('&').find_map(|pair| pair.strip_prefix("name=")).unwrap_or_default();
                // The placeholders of exchanges hold the first twenty characters of a name, those of observations all.
                let begins: String = name.chars().take(20).collect();
                self.ids.insert(format!("c:{begins}"), id.clone());
                self.ids.insert(format!("c:{name}"), id.clone());
                self.made.containers.push(id.clone());
            }
            if is("GET", "/images/busybox/json") {
                self.ids.insert("i:busybox".to_owned(), id);
            }
        }
    }

    /// The ids of the objects that its scripts made, by `c:NAME` and the like.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ids.iter().map(|(key, id)| (key.as_str(), id.as_str()))
    }

    /// Tells the lane an id that differs on its daemon, such as `i:busybox`.
    pub fn knows(&mut self, key: &str, id: &str) {
        self.ids.insert(key.to_owned(), bare(id));
    }

    /// What the scripts made.
    pub fn into_made(self) -> Made {
        self.made
    }
}

/// The tag that a request gives an image.
fn tag(request: &Request) -> Option<String> {
    let query = request.query()?;
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let named = value("repo").or(value("t")).or(value("fromImage")).filter(|name| !name.is_empty())?;
    let has_tag = named.rsplit('/').next().is_some_and(|last| last.contains(':'));
    Some(if has_tag { named.to_owned() } else { format!("{named}:{}", value("tag").unwrap_or("latest")) })
}

/// An id without its algorithm.
fn bare(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).to_owned()
}

/// Whether it makes a difference to a request how far a container's command is: a signal needs its trap.
fn meets_the_command(request: &Request) -> bool {
    let signals = request.path().ends_with("/kill") && request.query().is_some_and(|query| query.contains("signal="));
    signals || LOOK_INSIDE.iter().any(|end| request.path().ends_with(end))
}

/// As long as it was recorded for what does not end, else long enough for a daemon that is slow.
fn limits(step: &Step) -> Limits {
    let recorded = step.recorded.took;
    let total = match &step.recorded.answer {
        Ok(response) if response.left_early() => recorded.min(Duration::from_secs(4)),
        Err(NoAnswer::Timeout) => recorded.min(Duration::from_secs(3)),
        _ => PATIENCE.max(recorded * 3),
    };
    Limits::default().within(total)
}

/// Whether what may still be on its way has come: the state that the recording shows, the output that it holds.
fn has_settled(recorded: &Exchange, live: &Exchange) -> bool {
    let (Ok(then), Ok(now)) = (&recorded.answer, &live.answer) else { return true };
    if then.status != now.status || then.left_early() {
        return then.left_early();
    }
    if let (Content::Frames(_), Ok(now)) = (&then.content, now.frames()) {
        let length = |frames: &[crate::exchange::Frame]| frames.iter().map(|frame| frame.payload.len()).sum::<usize>();
        return then.frames().is_ok_and(|then| length(&now) >= length(&then));
    }
    let (Some(then), Some(now)) = (then.json(), now.json()) else { return true };
    ["/State/Running", "/State/Restarting", "/State/ExitCode", "/RestartCount", "/Running"]
        .iter()
        .all(|pointer| then.pointer(pointer).is_none() || then.pointer(pointer) == now.pointer(pointer))
}

/// Times in a recorded scenario's targets, moved to now.
pub(crate) struct Shift {
    /// When the scenario ran, Unix seconds: the times within it are moved.
    recorded: std::ops::Range<u64>,
    now: u64,
}

impl Shift {
    fn new(script: &Script, now: SystemTime) -> Self {
        let dates = script.steps.iter().filter_map(|step| date(&step.recorded));
        let (first, last) = dates.fold((u64::MAX, 0), |(first, last), date| (first.min(date), last.max(date)));
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { recorded: first.saturating_sub(60)..last + 60, now: now.saturating_sub(1) }
    }

    /// Times before the scenario's middle become its beginning now; later ones become this moment, so that nothing
    /// waits for a time that was past when it was recorded.
    fn apply(&self, target: &str) -> String {
        static UNIX: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(since|until)=(\d{10})\b").expect("a fixed pattern"));
        let present = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut times: Vec<u64> = UNIX.captures_iter(target).filter_map(|found| found[2].parse().ok()).collect();
        times.sort_unstable();
        UNIX.replace_all(target, |found: &Captures<'_>| {
            let time: u64 = found[2].parse().unwrap_or_default();
            match self.recorded.contains(&time) {
                true if times.last() == Some(&time) && times.len() > 1 => format!("{}={}", &found[1], present + 1),
                true => format!("{}={}", &found[1], self.now),
                false => found[0].to_owned(),
            }
        })
        .into_owned()
    }
}

fn date(exchange: &Exchange) -> Option<u64> {
    let date = exchange.answer.as_ref().ok()?.header("Date")?;
    let date = jiff::fmt::rfc2822::parse(&date.replace("GMT", "+0000")).ok()?;
    u64::try_from(date.timestamp().as_second()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_tells_the_tag_that_it_gives() {
        for (target, expected) in [
            ("/images/busybox/tag?repo=t1&tag=v1", Some("t1:v1")),
            ("/images/busybox/tag?repo=reg.example.com:5000/a/b&tag=x", Some("reg.example.com:5000/a/b:x")),
            ("/images/busybox/tag?repo=t4:v2", Some("t4:v2")),
            ("/build?t=bi", Some("bi:latest")),
            ("/images/create?fromImage=127.0.0.1:5000/lib/hello", Some("127.0.0.1:5000/lib/hello:latest")),
            ("/commit?container=cm", None),
            ("/containers/a/start", None),
        ] {
            assert_eq!(tag(&Request::new("POST", target)).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn times_of_a_recorded_scenario_become_those_of_now() {
        let shift = Shift { recorded: 1_795_500_000..1_795_500_300, now: 2_000_000_000 };
        let moved = shift.apply("/events?since=1795500100&until=1795500200");
        assert!(moved.starts_with("/events?since=2000000000&until="), "{moved}");
        assert!(!moved.contains("1795500"), "{moved}");
        assert_eq!(shift.apply("/logs?since=1000000000"), "/logs?since=1000000000");
    }
}
