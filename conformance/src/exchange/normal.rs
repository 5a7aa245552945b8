//! Makes two answers comparable: what differs from run to run, or is declared free, is replaced by its kind.
//!
//! Volatile: ids, times, addresses, pids, made-up names, kernel-chosen ports, sizes of files that hold names, figures
//! of cgroups and memory, facts of the machine, the order of maps. Free: framing (unless a message is a chunk), the
//! order of keys and headers, blanks in JSON.

use std::{borrow::Cow, fmt::Write, sync::LazyLock};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::{
    Archive, Exchange,
    frames::Frame,
    response::{Content, End, Response},
    websocket::Message,
};

/// Replaces what is volatile. Ids that a scenario knows are told by the object's name, others by their kind.
#[derive(Clone, Debug, Default)]
pub struct Normaliser {
    /// Ids and their objects' names, the longest first.
    known: Vec<(String, String)>,
}

/// A pattern and what stands for it.
struct Rule(Regex, &'static str);

/// In order: what is longer or more telling first.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{64}", "<id>"),
        (r"\b[0-9a-f]{40}\b", "<sha1>"),
        (r"\b[0-9a-f]{12}\b", "<id12>"),
        (r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|UTC|[+-]\d\d:?\d\d))*( m=[+-][\d.]+)?", "<time>"),
        (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "<date>"),
        (r"\b1[4-9]\d{17}\b", "<nanoseconds>"),
        (r"\b1[4-9]\d{8}\b(\.\d+)?", "<unix>"),
        (r"\b(172\.(1[6-9]|2\d|3[01])|10\.\d+|192\.168)\.\d+\.\d+", "<ip>"),
        (r"\bfe80:[0-9a-f:]+", "<ip6>"),
        (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "<mac>"),
        (r"(Less than a|About an?|\d+) (second|minute|hour|day|week|month|year)s?", "<duration>"),
        (r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d+ +(\d\d:\d\d|\d{4})", "<date>"),
        // A directory's own size is its file system's; interfaces are numbered by the kernel.
        (r"\b(d[rwxsStT-]{9}\s+\d+\s+\S+\s+\S+)\s+\d+ <date>", "$1 <size> <date>"),
        (r"\b\d+: eth0@if\d+", "<n>: eth0@if<n>"),
        (r"\S+ on (/\S*) type \S+ \((ro|rw)[^)]*\)", "<fs> on $1 ($2)"),
        (r"\bveth[0-9a-f]{4,}", "<veth>"),
        (r"(docker|daemon|container)(-|\.)?\d{5,}", "$1<number>"),
        (r#"/[^\s"':]*/(containers|vfs|overlay2?|overlayfs|aufs|execdriver|volumes|graph|netns|tmp)/"#, "<root>/$1/"),
        (r#"(/[^\s"':]*)?/docker-(builder|import|export)-?\d+"#, "<tmp>/$2"),
    ]
    .map(|(pattern, stands)| Rule(Regex::new(pattern).expect("a fixed pattern"), stands))
    .into()
});

/// A name that the daemon makes up: adjective, underscore, surname.
static MADE_UP_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(^|[/ ])[a-z]+_[a-z]+\d?(/|$)").expect("a fixed pattern"));

/// A port chosen by the kernel or counted up by the daemon.
static CHOSEN_PORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(3[2-9]\d{3}|4\d{4}|5\d{4}|6[0-5]\d{3})\b").expect("a fixed pattern"));

impl Normaliser {
    /// A normaliser that knows no object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells this id by this name from now on; its first 12 digits by the name and `:12`.
    pub fn learn(&mut self, id: &str, name: &str) {
        if id.len() < 12 || self.known.iter().any(|(known, _)| known == id) {
            return;
        }
        self.known.push((id.to_owned(), format!("<{name}>")));
        if let Some(short) = id.get(..12).filter(|short| *short != id) {
            self.known.push((short.to_owned(), format!("<{name}:12>")));
        }
        self.known.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
    }

    /// Whether it tells this id by a name.
    pub fn knows(&self, id: &str) -> bool {
        self.known.iter().any(|(known, _)| known == id)
    }

    /// A text with what is volatile replaced.
    pub fn text(&self, text: &str) -> String {
        let mut text = Cow::Borrowed(text);
        for (id, name) in &self.known {
            if text.contains(id.as_str()) {
                text = Cow::Owned(text.replace(id.as_str(), name));
            }
        }
        for Rule(pattern, stands) in RULES.iter() {
            if let Cow::Owned(replaced) = pattern.replace_all(&text, *stands) {
                text = Cow::Owned(replaced);
            }
        }
        known_capabilities(text.into_owned())
    }

    /// A JSON value with what is volatile replaced, and keys in order.
    pub fn json(&self, value: &Value) -> Value {
        self.value("", value)
    }

    /// An exchange's answer as lines of text: equal texts are equal answers.
    pub fn answer(&self, exchange: &Exchange) -> String {
        match &exchange.answer {
            Err(error) => format!("no answer: {error}\n"),
            Ok(response) => self.response(response, &exchange.request.method),
        }
    }

    fn response(&self, response: &Response, method: &str) -> String {
        let mut out = String::new();
        for interim in &response.interim {
            let _ = writeln!(out, "{} {}", interim.status, interim.reason);
        }
        let _ = writeln!(out, "{} {}", response.status, response.reason);
        let mut headers: Vec<String> = response
            .headers
            .iter()
            .filter(|(name, _)| !is_framing(name))
            .map(|(name, value)| format!("{name}: {}", self.text(value)))
            .collect();
        headers.sort_unstable();
        for header in headers {
            out += &header;
            out.push('\n');
        }
        out.push('\n');
        self.content(response, method, &mut out);
        match response.end {
            End::Length | End::Chunked | End::Eof => {}
            End::Timeout => out += "… and goes on\n",
            End::TooLong => out += "… without end\n",
            End::Short => out += "… and breaks off\n",
            End::BadChunk => out += "… and goes on in no chunk\n",
        }
        out
    }

    fn content(&self, response: &Response, method: &str, out: &mut String) {
        match &response.content {
            Content::Frames(frames) => self.frames(frames, out),
            Content::Messages(messages) => self.messages(messages, out),
            Content::Archive(archive) => self.archive(archive, "", out),
            Content::Cut { kept, size } => {
                let _ = writeln!(out, "{}\n… ({size} bytes)", self.text(&String::from_utf8_lossy(kept)));
            }
            Content::Bytes(bytes) if bytes.is_empty() || method == "HEAD" => {}
            Content::Bytes(_) => {
                let kind = response.header("Content-Type").unwrap_or_default();
                if kind.contains("tar")
                    && let Ok(archive) = response.archive()
                {
                    return self.archive(&archive, "", out);
                }
                if let Some(values) =
                    response.json_lines().filter(|values| values.iter().any(|v| v.is_object() || v.is_array()))
                {
                    let mut values: Vec<Value> = values.iter().map(|value| self.json(value)).collect();
                    // How often a transfer's progress is told is the network's chance.
                    values.dedup_by(|next, one| next.get("progressDetail").is_some() && next == one);
                    for value in values {
                        let _ = writeln!(out, "{value:#}");
                    }
                } else if let Ok(frames) = response.frames() {
                    self.frames(&frames, out);
                } else {
                    *out += &self.text(response.text().trim_end_matches('\n'));
                    out.push('\n');
                }
            }
        }
    }

    /// Websocket messages of one kind in a row are one text: how the daemon cut it is chance.
    fn messages(&self, messages: &[Message], out: &mut String) {
        for run in messages.chunk_by(|a, b| a.head == b.head) {
            let payload: Vec<u8> = run.iter().flat_map(|message| &message.payload).copied().collect();
            let text = self.text(&String::from_utf8_lossy(&payload));
            for line in text.split_inclusive('\n') {
                let _ = writeln!(out, "{:#04x} {line:?}", run[0].head);
            }
        }
    }

    /// Frames of one stream in a row are one text: how the daemon cut it is chance.
    fn frames(&self, frames: &[Frame], out: &mut String) {
        let mut joined: Vec<(u8, Vec<u8>)> = Vec::new();
        for frame in frames.iter().filter(|frame| !frame.payload.is_empty()) {
            match joined.last_mut() {
                Some((stream, payload)) if *stream == frame.stream => payload.extend_from_slice(&frame.payload),
                _ => joined.push((frame.stream, frame.payload.clone())),
            }
        }
        for (stream, payload) in joined {
            let text = self.text(&String::from_utf8_lossy(&payload));
            let text = hosts_in_order(&text);
            for line in text.split_inclusive('\n') {
                let _ = writeln!(out, "{stream} {line:?}");
            }
        }
    }

    fn archive(&self, archive: &Archive, indent: &str, out: &mut String) {
        let mut lines: Vec<String> = archive
            .entries
            .iter()
            .map(|entry| {
                let mut line =
                    format!("{indent}{:?} {} {}:{}", entry.kind, entry.mode, entry.uid, entry.gid).to_lowercase();
                let _ = write!(line, " {}", self.text(&entry.name));
                if let Some(link) = &entry.link {
                    let _ = write!(line, " -> {}", self.text(link));
                }
                if let Some(text) = &entry.text {
                    let _ = match serde_json::from_str::<Value>(text) {
                        Ok(json) if json.is_object() => write!(line, " {}", self.json(&json)),
                        _ => write!(line, " {:?}", self.text(text)),
                    };
                }
                line.push('\n');
                if let Some(inner) = &entry.inner {
                    self.archive(inner, &format!("{indent}  "), &mut line);
                }
                line
            })
            .collect();
        lines.sort_unstable();
        out.extend(lines);
    }

    fn value(&self, key: &str, value: &Value) -> Value {
        if let Some(stands) = volatile_value(key, value) {
            return stands.into();
        }
        match value {
            Value::String(text) => Value::String(self.string(key, text)),
            Value::Array(items) => Value::Array(self.items(key, items)),
            Value::Object(map) => Value::Object(self.object(key, map)),
            other => other.clone(),
        }
    }

    fn items(&self, key: &str, items: &[Value]) -> Vec<Value> {
        let is_images = is_list_of_images(items);
        let mut items: Vec<Value> = items.iter().map(|item| self.value(key, item)).collect();
        // Containers of one second, of which there are many, come in any order.
        let is_list = items.first().is_some_and(|item| item.get("Names").is_some() && item.get("Command").is_some());
        if UNORDERED.contains(&key) || is_list || is_images {
            items.sort_by_cached_key(Value::to_string);
        }
        items
    }

    fn string(&self, key: &str, text: &str) -> String {
        let text = self.text(text);
        match key {
            "Name" | "Names" | "name" if MADE_UP_NAME.is_match(&text) => MADE_UP_NAME
                .replace_all(&text, |found: &Captures<'_>| format!("{}<name>{}", &found[1], &found[2]))
                .into_owned(),
            "HostPort" => CHOSEN_PORT.replace_all(&text, "<port>").into_owned(),
            // How far a transfer is shows in bars and figures that depend on its speed.
            "progress" => "<progress>".to_owned(),
            _ => text,
        }
    }

    fn object(&self, key: &str, map: &Map<String, Value>) -> Map<String, Value> {
        // The machine's processes have their own pids and times; what runs is the container's.
        if let (Some(Value::Array(titles)), Some(Value::Array(rows))) = (map.get("Titles"), map.get("Processes")) {
            let commands =
                rows.iter().map(|row| row.as_array().and_then(|row| row.last()).cloned().unwrap_or_default());
            let mut out = Map::new();
            out.insert("Processes".into(), commands.map(|command| self.value("CMD", &command)).collect());
            out.insert("Titles".into(), titles.clone().into());
            return out;
        }
        let is_info = map.contains_key("NCPU");
        let mut keys: Vec<(String, &Value)> = map
            .iter()
            .map(|(name, value)| {
                (if key == "Volumes" || key == "VolumesRW" { name.clone() } else { self.text(name) }, value)
            })
            .collect();
        keys.sort_by(|a, b| a.0.cmp(&b.0));
        keys.into_iter()
            .map(|(name, value)| {
                let value = if is_info && name == "Name" { "<machine>".into() } else { self.value(&name, value) };
                (name, value)
            })
            .collect()
    }
}

/// A list of images that is the newest first, as it ought to be: those of one second came in a map's order.
fn is_list_of_images(items: &[Value]) -> bool {
    let created = |item: &Value| item.get("Created").and_then(Value::as_i64);
    let is_image = |item: &Value| item.get("RepoTags").is_some() && item.get("VirtualSize").is_some();
    items.iter().all(is_image) && items.is_sorted_by(|one, next| created(one) >= created(next))
}

/// The lines that every hosts file has in one order: before 1.16 it was a map's.
pub(crate) fn hosts_in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.chunk_by_mut(|one, next| is_usual_host(one) && is_usual_host(next)).for_each(<[&str]>::sort_unstable);
    lines.join("\n")
}

/// A line that every hosts file has.
fn is_usual_host(line: &str) -> bool {
    let usual = ["localhost", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters"];
    line.split_once('\t').is_some_and(|(_, names)| names.split_whitespace().next().is_some_and(|n| usual.contains(&n)))
}

/// Masks of capabilities without those that came after the daemons: the older ones leave what they don't know.
fn known_capabilities(text: String) -> String {
    static MASK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(Cap(?:Inh|Prm|Eff|Bnd|Amb):\s*)([0-9a-f]{16})").expect("a fixed pattern"));
    if !text.contains("Cap") {
        return text;
    }
    let known = |found: &Captures<'_>| {
        let mask = u64::from_str_radix(&found[2], 16).unwrap_or_default() & ((1 << 37) - 1);
        format!("{}{mask:016x}", &found[1])
    };
    MASK.replace_all(&text, known).into_owned()
}

/// Arrays whose order is that of a map.
const UNORDERED: [&str; 8] = ["Ports", "Names", "RepoTags", "RepoDigests", "Tags", "ExecIDs", "VolumesFrom", "Links"];

/// Objects that hold figures only.
const FIGURES: [&str; 6] = ["memory_stats", "cpu_stats", "precpu_stats", "blkio_stats", "network", "progressDetail"];

/// Facts of the machine and of the daemon's life.
const MACHINE: [&str; 32] = [
    "ID",
    "NCPU",
    "MemTotal",
    "KernelVersion",
    "OperatingSystem",
    "SystemTime",
    "NFd",
    "NGoroutines",
    "NEventsListener",
    "InitPath",
    "InitSha1",
    "DockerRootDir",
    "Driver",
    "DriverStatus",
    "ExecutionDriver",
    "GitCommit",
    "GoVersion",
    "Images",
    "Containers",
    "CpuCfsPeriod",
    "CpuCfsQuota",
    "BridgeNfIptables",
    "BridgeNfIp6tables",
    "HttpProxy",
    "HttpsProxy",
    "NoProxy",
    "IPv4Forwarding",
    "MemoryLimit",
    "SwapLimit",
    "KernelMemory",
    "OomKillDisable",
    "BuildTime",
];

/// What stands for a value that is volatile as a whole; zero and nothing stay as they are.
fn volatile_value(key: &str, value: &Value) -> Option<&'static str> {
    if FIGURES.contains(&key) && value.as_object().is_some_and(|map| !map.is_empty()) {
        return Some("<figures>");
    }
    let number = value.as_f64().is_some_and(|number| number != 0.0);
    match key {
        "Pid" if number => Some("<pid>"),
        // Seconds in lists; elsewhere a time is a text.
        "Created" | "time" if number => Some("<unix>"),
        "SizeRw" | "SizeRootFs" | "Size" | "VirtualSize" if number => Some("<size>"),
        "PublicPort" if value.as_u64().is_some_and(|port| port >= 32768) => Some("<port>"),
        "read" | "SystemTime" => Some("<time>"),
        key if MACHINE.contains(&key) && !value.is_null() => Some("<machine>"),
        _ => None,
    }
}

/// Headers of the transfer, which is free.
fn is_framing(name: &str) -> bool {
    ["date", "content-length", "transfer-encoding"].iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_volatile_is_told_by_its_kind() {
        let id = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            (format!("no such id: {id}"), "no such id: <id>"),
            ("container 0123456789ab".into(), "container <id12>"),
            ("2015-01-01T00:00:00.123456789Z out".into(), "<time> out"),
            ("Up 3 seconds".into(), "Up <duration>"),
            ("Exited (0) Less than a second ago".into(), "Exited (0) <duration> ago"),
            ("172.17.0.3 and 02:42:ac:11:00:03".into(), "<ip> and <mac>"),
            (format!("/var/lib/docker/containers/{id}/hosts"), "<root>/containers/<id>/hosts"),
            ("at 1795500172".into(), "at <unix>"),
        ] {
            assert_eq!(Normaliser::new().text(&text), expected);
        }
    }

    #[test]
    fn a_known_object_is_told_by_its_name() {
        let id = "0123456789abcdef".repeat(4);
        let mut normaliser = Normaliser::new();
        normaliser.learn(&id, "web");
        assert_eq!(normaliser.text(&format!("{id} is {}", &id[..12])), "<web> is <web:12>");
    }

    #[test]
    fn images_of_one_second_come_in_any_order_but_the_newest_first() {
        let list = |images: &[(&str, u64)]| {
            let image = |(tag, created): &(&str, u64)| serde_json::json!({"RepoTags": [tag], "Created": created, "VirtualSize": 1});
            Normaliser::new().json(&images.iter().map(image).collect())
        };
        assert_eq!(list(&[("b", 1500000002), ("a", 1500000002)]), list(&[("a", 1500000002), ("b", 1500000002)]));
        assert_ne!(list(&[("b", 1500000001), ("a", 1500000002)]), list(&[("a", 1500000002), ("b", 1500000001)]));
    }

    #[test]
    fn a_history_keeps_its_order_but_not_that_of_its_tags() {
        let layer = |tags: &[&str], by: &str| serde_json::json!({"Tags": tags, "CreatedBy": by, "Created": 1500000001});
        let normal = Normaliser::new();
        let one = normal.json(&vec![layer(&["b", "a"], "x"), layer(&[], "a")].into());
        assert_eq!(one, normal.json(&vec![layer(&["a", "b"], "x"), layer(&[], "a")].into()));
        assert_ne!(one, normal.json(&vec![layer(&[], "a"), layer(&["a", "b"], "x")].into()));
    }

    #[test]
    fn keys_are_ordered_and_figures_struck() {
        let value = serde_json::json!({"b": 1, "a": {"Pid": 77, "memory_stats": {"usage": 1}, "Pids": []}, "Name": "/sad_turing"});
        assert_eq!(
            Normaliser::new().json(&value).to_string(),
            r#"{"Name":"/<name>","a":{"Pid":"<pid>","Pids":[],"memory_stats":"<figures>"},"b":1}"#
        );
    }
}
