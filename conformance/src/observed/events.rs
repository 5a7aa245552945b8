//! Events of a scenario, asked for after they happened.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

use crate::exchange::{Client, Request};

/// How long an event may be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(2500);

/// The events since a scenario began, and how many of them were looked at.
#[derive(Clone, Debug)]
pub(super) struct Events {
    since: u64,
    /// Of the scenario before, within the same second.
    earlier: usize,
    /// Looked at so far.
    seen: usize,
}

impl Events {
    /// From now on.
    pub(super) fn begin(client: &Client, prefix: &str) -> Self {
        let since = now();
        let mut events = Self { since, earlier: 0, seen: 0 };
        events.earlier = events.ask(client, prefix).len();
        events
    }

    /// All so far; waits until there are `count` of them.
    pub(super) fn all(&self, client: &Client, prefix: &str, count: usize) -> Vec<Value> {
        self.from(client, prefix, 0, count)
    }

    /// Those that were not looked at; waits until there are `count` of them.
    pub(super) fn unseen(&mut self, client: &Client, prefix: &str, count: usize) -> Vec<Value> {
        let new = self.from(client, prefix, self.seen, count);
        self.seen += new.len();
        new
    }

    fn from(&self, client: &Client, prefix: &str, begin: usize, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let events: Vec<Value> = self.ask(client, prefix).into_iter().skip(self.earlier + begin).collect();
            if events.len() >= count || begun.elapsed() > ON_ITS_WAY {
                return events;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, client: &Client, prefix: &str) -> Vec<Value> {
        let target = format!("{prefix}/events?since={}&until={}", self.since, now());
        let exchange = client.send(Request::new("GET", target));
        exchange.answer.ok().and_then(|response| response.json_lines()).unwrap_or_default()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Events a line each, their keys in order.
pub(super) fn lines(events: &[Value]) -> String {
    let sorted = |event: &Value| match event {
        Value::Object(fields) => fields
            .iter()
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .fold(String::new(), |line, (key, value)| line + &format!(" {key}={value}")),
        other => other.to_string(),
    };
    events.iter().map(|event| sorted(event).trim_start().to_owned() + "\n").collect()
}

/// The recorded text likewise: a time stands in it as `<unix>`, which is no JSON.
pub(super) fn recorded(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(&line.replace(":<unix>", ":1700000000")).ok()).collect()
}
