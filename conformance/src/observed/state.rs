//! What the API tells of containers' states, in the words of the recordings.

use serde_json::{Map, Value, json};

use super::inside::inspect;
use crate::exchange::Client;

/// `State`, with what is chance in a word: whether there is a pid, whether a time is set.
pub(super) fn state(client: &Client, prefix: &str, container: &str) -> Value {
    let Some(Value::Object(state)) = inspect(client, prefix, container).and_then(|about| about.get("State").cloned())
    else {
        return Value::Null;
    };
    Value::Object(state.into_iter().map(|(key, value)| (key.clone(), told(&key, value))).collect::<Map<_, _>>())
}

fn told(key: &str, value: Value) -> Value {
    match key {
        "Pid" => if value.as_u64() == Some(0) { "0" } else { "some" }.into(),
        "StartedAt" | "FinishedAt" => {
            if value.as_str().is_some_and(|time| time.starts_with("0001-")) { "zero" } else { "set" }.into()
        }
        _ => value,
    }
}

/// `running, exit 0`.
pub(super) fn in_a_word(client: &Client, prefix: &str, container: &str) -> String {
    let Some(about) = inspect(client, prefix, container) else { return "absent".to_owned() };
    let Moment { word, exit, .. } = Moment::of(&about);
    let started = about.pointer("/State/StartedAt").and_then(Value::as_str).unwrap_or_default();
    let never = if started.starts_with("0001-") { ", never started" } else { "" };
    format!("{word}, exit {exit}{never}")
}

/// Address and ports.
pub(super) fn addresses(client: &Client, prefix: &str, container: &str) -> Value {
    let about = inspect(client, prefix, container).unwrap_or_default();
    let of = |key: &str| about.pointer(&format!("/NetworkSettings/{key}")).cloned().unwrap_or_default();
    json!([of("IPAddress"), of("Ports")])
}

/// How a container stands at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    /// How often it was restarted, where that is told.
    count: Option<u64>,
    /// `running`, `paused`, `restarting`, `stopped`.
    word: &'static str,
    /// Its exit code.
    exit: i64,
    /// When it was started last.
    started: String,
}

impl Moment {
    /// From an answer of inspect.
    pub(super) fn of(about: &Value) -> Self {
        let on = |key: &str| about.pointer(&format!("/State/{key}")).and_then(Value::as_bool).unwrap_or(false);
        let word = match (on("Restarting"), on("Paused"), on("Running")) {
            (true, ..) => "restarting",
            (_, true, _) => "paused",
            (.., true) => "running",
            _ => "stopped",
        };
        Self {
            count: about.get("RestartCount").and_then(Value::as_u64),
            word,
            exit: about.pointer("/State/ExitCode").and_then(Value::as_i64).unwrap_or_default(),
            started: about.pointer("/State/StartedAt").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }
    }
}

/// The moments of a container since a request, each another than the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    moments: Vec<Moment>,
    starts: Vec<String>,
}

impl Timeline {
    /// Adds how it stands now.
    pub(super) fn note(&mut self, about: &Value) {
        let moment = Moment::of(about);
        if self.moments.last() == Some(&moment) {
            return;
        }
        if !self.starts.contains(&moment.started) {
            self.starts.push(moment.started.clone());
        }
        self.moments.push(moment);
    }

    /// `count 0, running, exit 0, start 1`, a line a moment.
    pub(super) fn told(&self) -> Vec<String> {
        let line = |moment: &Moment| {
            let count = moment.count.map_or_else(|| "absent".to_owned(), |count| count.to_string());
            let start = self.starts.iter().position(|started| *started == moment.started).map_or(0, |at| at + 1);
            format!("count {count}, {}, exit {}, start {start}", moment.word, moment.exit)
        };
        self.moments.iter().map(line).collect()
    }
}

/// How long a moment must last to be seen by whoever asks now and then, in seconds.
const SEEN: f64 = 0.25;

/// The moments of a recorded timeline that lasted, and its last: `0.4 s: count 1, restarting, exit 1, start 1`.
pub(super) fn lasting(recorded: &[String]) -> Vec<String> {
    let parsed: Vec<(f64, &str)> = recorded
        .iter()
        .filter_map(|line| line.split_once(" s: "))
        .map(|(time, told)| (time.parse().unwrap_or_default(), told))
        .collect();
    let ends = parsed.iter().skip(1).map(|(time, _)| *time).chain([f64::INFINITY]);
    let lasted = parsed.iter().zip(ends).filter(|((begun, _), end)| end - begun >= SEEN);
    lasted.map(|((_, told), _)| (*told).to_owned()).collect()
}

/// Whether these moments come in this order among those, others between them or not.
pub(super) fn pass_by(these: &[String], those: &[String]) -> bool {
    let mut those = those.iter();
    these.iter().all(|moment| those.any(|other| other == moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_that_last_are_looked_for_in_their_order() {
        let recorded = ["0.1 s: a", "0.1 s: b", "0.4 s: c", "0.5 s: d"].map(str::to_owned);
        let lasted = lasting(&recorded);
        assert_eq!(lasted, ["b", "d"]);
        let seen = |moments: &[&str]| moments.iter().map(|moment| (*moment).to_owned()).collect::<Vec<_>>();
        assert!(pass_by(&lasted, &seen(&["a", "b", "d", "e"])));
        assert!(!pass_by(&lasted, &seen(&["d", "b"])));
    }

    #[test]
    fn a_moment_is_told_in_words() {
        let mut timeline = Timeline::default();
        let about = |running: bool, started: &str| json!({"RestartCount": 1, "State": {"Running": running, "ExitCode": 3, "StartedAt": started}});
        for (running, started) in [(true, "a"), (true, "a"), (false, "a"), (true, "b")] {
            timeline.note(&about(running, started));
        }
        let told = [
            "count 1, running, exit 3, start 1",
            "count 1, stopped, exit 3, start 1",
            "count 1, running, exit 3, start 2",
        ];
        assert_eq!(timeline.told(), told);
    }
}
