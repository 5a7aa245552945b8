//! What a container's process saw: what its probe wrote, in sections.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::machine::Machine;
use crate::exchange::{Client, Exchange, Input, Limits, Request};

/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(20);
/// The last line of a probe in sections.
const END: &str = "@@@ end";

/// The program last made to look around, and what it wrote.
#[derive(Clone, Debug, Default)]
pub(super) struct Probe {
    /// Its command, the words behind one another.
    pub(super) script: String,
    /// The container in which it runs, by the name of its path.
    pub(super) container: String,
    /// What runs it.
    pub(super) run: Run,
    /// What it wrote, once it was read.
    wrote: Option<String>,
}

/// What runs a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Run {
    /// The container's first process, which its start runs.
    #[default]
    First,
    /// An exec of this id, which the look itself starts.
    Exec {
        /// Its id.
        id: String,
        /// With a terminal.
        tty: bool,
        /// With its input attached.
        stdin: bool,
    },
}

impl Probe {
    /// The probe that a request makes, if it makes one.
    pub(super) fn made_by(exchange: &Exchange) -> Option<Self> {
        let request = &exchange.request;
        let body: Value = serde_json::from_slice(&request.body_bytes()?).ok()?;
        let script = match body.get("Cmd")? {
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            word => word.as_str()?.to_owned(),
        };
        let path = request.path();
        let on = |key: &str| body.get(key).and_then(Value::as_bool).unwrap_or(false);
        if path.ends_with("/containers/create") {
            let query = request.query().unwrap_or_default();
            let name = query.split('&').find_map(|pair| pair.strip_prefix("name="))?;
            return Some(Self { script, container: name.to_owned(), run: Run::First, wrote: None });
        }
        let container = path.split_once("/containers/")?.1.strip_suffix("/exec")?.to_owned();
        let id = exchange.answer.as_ref().ok()?.json()?.get("Id")?.as_str()?.to_owned();
        let run = Run::Exec { id, tty: on("Tty"), stdin: on("AttachStdin") };
        Some(Self { script, container, run, wrote: None })
    }

    /// All that it wrote, read when it has ended or reached its last line.
    pub(super) fn wrote(&mut self, client: &Client, prefix: &str) -> &str {
        if self.wrote.is_none() {
            let wrote = match &self.run {
                Run::First => self.first(client, prefix),
                Run::Exec { id, tty, stdin } => exec(client, prefix, id, *tty, *stdin),
            };
            self.wrote = Some(wrote);
        }
        self.wrote.as_deref().unwrap_or_default()
    }

    fn first(&self, client: &Client, prefix: &str) -> String {
        let begun = Instant::now();
        loop {
            let ended = !is_running(client, prefix, &self.container);
            let text = logs(client, prefix, &self.container);
            let whole = text.contains(END) || ended;
            if whole || !self.script.contains(END) && !text.is_empty() || begun.elapsed() > PROBE {
                return text;
            }
            thread::sleep(Duration::from_millis(30));
        }
    }
}

/// A container's log, both streams.
pub(super) fn logs(client: &Client, prefix: &str, container: &str) -> String {
    let target = format!("{prefix}/containers/{container}/logs?stdout=1&stderr=1");
    output(&client.send(Request::new("GET", target)))
}

/// What a shell line writes in a container made for it.
pub(super) fn another(client: &Client, prefix: &str, line: &str) -> String {
    const NAME: &str = "another";
    let body = json!({"Image": "busybox", "Cmd": ["sh", "-c", line]});
    client.send(Request::new("POST", format!("{prefix}/containers/create?name={NAME}")).json(&body));
    client.send(Request::new("POST", format!("{prefix}/containers/{NAME}/start")));
    client
        .send_within(Request::new("POST", format!("{prefix}/containers/{NAME}/wait")), Limits::default().within(PROBE));
    let wrote = logs(client, prefix, NAME);
    client.send(Request::new("DELETE", format!("{prefix}/containers/{NAME}?force=1")));
    wrote
}

/// What a program wrote, out of its frames where there are any.
fn output(exchange: &Exchange) -> String {
    let Ok(response) = &exchange.answer else { return String::new() };
    match response.frames() {
        Ok(frames) if !frames.is_empty() => {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => response.text().into_owned(),
    }
}

fn exec(client: &Client, prefix: &str, id: &str, tty: bool, stdin: bool) -> String {
    let mut request =
        Request::new("POST", format!("{prefix}/exec/{id}/start")).json(&json!({"Detach": false, "Tty": tty}));
    if stdin {
        // Its input stays open until it has looked at it.
        request = request.stdin([Input::Pause(Duration::from_secs(1)), Input::HalfClose]);
    }
    output(&client.send_within(request, Limits::default().within(PROBE)))
}

fn is_running(client: &Client, prefix: &str, container: &str) -> bool {
    inspect(client, prefix, container)
        .and_then(|about| about.pointer("/State/Running").and_then(Value::as_bool))
        .unwrap_or(false)
}

/// What the daemon tells of a container.
pub(super) fn inspect(client: &Client, prefix: &str, container: &str) -> Option<Value> {
    client.send(Request::new("GET", format!("{prefix}/containers/{container}/json"))).answer.ok()?.json()
}

/// What stands behind `@@@ NAME`, without its last newline.
pub(super) fn section(wrote: &str, name: &str) -> Option<String> {
    let wrote = wrote.replace("\r\n", "\n");
    let mark = format!("@@@ {name}\n");
    let begin = if wrote.starts_with(&mark) { mark.len() } else { wrote.find(&format!("\n{mark}"))? + mark.len() + 1 };
    let rest = &wrote[begin..];
    if rest.starts_with("@@@ ") {
        return Some(String::new());
    }
    Some(rest.split("\n@@@ ").next().unwrap_or(rest).trim_end_matches('\n').to_owned())
}

/// Whose namespaces these are: its own, the daemon's, or a container's of the scenario.
pub(super) fn namespaces(told: &str, machine: &Machine, containers: &BTreeMap<String, u64>, own: &str) -> String {
    let of = |pid: u64| -> BTreeMap<String, String> {
        let line = format!("for n in ipc mnt net pid user uts cgroup; do echo $n $(readlink /proc/{pid}/ns/$n); done");
        let said = machine.beside(&line).unwrap_or_default();
        said.lines().filter_map(|line| line.split_once(' ')).map(|(n, at)| (n.to_owned(), at.to_owned())).collect()
    };
    let daemon = of(1);
    let others: Vec<(&str, BTreeMap<String, String>)> =
        containers.iter().map(|(name, pid)| (name.as_str(), of(*pid))).collect();
    let whose = |name: &str, at: &str| {
        if daemon.get(name).is_some_and(|known| known == at) {
            return "the daemon's".to_owned();
        }
        match others.iter().find(|(_, known)| known.get(name).is_some_and(|known| known == at)) {
            Some((container, _)) if *container == own => "the container's".to_owned(),
            Some((container, _)) => format!("{container}'s"),
            None => "its own".to_owned(),
        }
    };
    let lines = told.lines().map(|line| match line.split_once(' ') {
        Some((name, at)) => format!("{name} {}", whose(name, at)),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let wrote = "@@@ a\r\none\r\ntwo\r\n@@@ b\n@@@ c\nlast\n@@@ end\n";
        assert_eq!(section(wrote, "a").as_deref(), Some("one\ntwo"));
        assert_eq!(section(wrote, "b").as_deref(), Some(""));
        assert_eq!(section(wrote, "c").as_deref(), Some("last"));
        assert_eq!(section(wrote, "d"), None);
    }
}
