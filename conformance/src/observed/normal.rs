//! Makes a look comparable with the recorded one: what differs from run to run is replaced by its kind.

use std::{collections::BTreeMap, fmt::Write, sync::LazyLock};

use regex::{Captures, Regex};

use crate::exchange::{Normaliser, hosts_in_order};

/// Ids of the scenario's objects and what stands for them: `{c:web}`.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// From pairs of key and id, the key without braces.
    pub(super) fn new<'n>(ids: impl Iterator<Item = (&'n str, &'n str)>) -> Self {
        let mut names = Vec::new();
        for (key, id) in ids.filter(|(key, id)| (key.starts_with("c:") || key.starts_with("i:")) && id.len() == 64) {
            names.push((id.to_owned(), format!("{{{key}}}")));
            names.push((id[..12].to_owned(), format!("{{{key}:12}}")));
        }
        // Of two names of one id the longer is the whole one.
        names.sort_by_key(|(id, name)| std::cmp::Reverse((id.len(), name.len())));
        Self(names)
    }

    /// A text with names in place of ids.
    pub(super) fn put(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| {
            if text.contains(id.as_str()) { text.replace(id.as_str(), name) } else { text }
        })
    }
}

/// What was looked at, which says what of it is chance.
pub(super) fn comparable(what: &str, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim_end_matches('\n');
    let told = if what.contains("/proc/self/mountinfo") {
        mounts(text)
    } else if what == "cat /proc/self/stat" {
        stat(text)
    } else if what.contains("/status") {
        status(text)
    } else if what.starts_with("ip addr") || what.starts_with("ip route") {
        interfaces(text)
    } else if what == "cat /etc/hosts" {
        hosts_in_order(text)
    } else if what.starts_with("echo pid ppid") {
        own_ids(text)
    } else if what.starts_with("ps -o") {
        parents(text)
    } else if what.starts_with("cat /proc/keys") {
        keyrings(text)
    } else {
        text.to_owned()
    };
    Normaliser::new().text(&terminals(&pipes(&told)))
}

/// The mount table: ids and devices without a name by their order, places in the daemon's data root by what they are.
fn mounts(text: &str) -> String {
    let mut ids: Vec<&str> = Vec::new();
    let mut devices: Vec<&str> = Vec::new();
    let mut out = String::new();
    let text = volumes_in_order(text);
    let order = |known: &[&str], wanted: &str| known.iter().position(|id| *id == wanted).map_or(0, |at| at + 1);
    for line in text.lines() {
        let mut fields = line.splitn(5, ' ');
        let (Some(id), Some(above), Some(device), Some(root), Some(rest)) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            let _ = writeln!(out, "{line}");
            continue;
        };
        ids.push(id);
        if !devices.contains(&device) {
            devices.push(device);
        }
        let (id, above, device) = (order(&ids, id), order(&ids, above), order(&devices, device));
        let _ = writeln!(out, "{id} {above} {device} {} {rest}", place_in_data(root));
    }
    out
}

/// Volumes side by side by their places: the genuine daemons take them from a map, in any order.
fn volumes_in_order(text: &str) -> String {
    let place = |line: &str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    let is_volume = |line: &&str| {
        let usual = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/"];
        let place = place(line);
        !usual.contains(&place.as_str()) && !["/proc", "/dev", "/sys"].iter().any(|above| place.starts_with(above))
    };
    let mut lines: Vec<&str> = text.lines().collect();
    for row in lines.chunk_by_mut(|a, b| is_volume(a) && is_volume(b)) {
        row.sort_by_key(|line| place(line));
    }
    lines.join("\n")
}

/// Where a daemon keeps things below its data root is its own affair; what it is shows.
fn place_in_data(root: &str) -> String {
    static PLACES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        [
            // A terminal of the host's.
            (r"^/\d+$", "/<n>"),
            (r"^.*/containers/\{c:[^}]*\}/(hosts|hostname|resolv\.conf)$", "<the container's $1>"),
            (r"^.*(/volumes/([0-9a-f]{64}|<id>)(/_data)?|/vfs/dir/([0-9a-f]{64}|<id>))(/.*)?$", "<a volume>$5"),
            (r"^.*/\{c:[^}]*\}(/tree|/rootfs)?$", "<the root>"),
        ]
        .map(|(pattern, stands)| (Regex::new(pattern).expect("a fixed pattern"), stands))
    });
    PLACES
        .iter()
        .find(|(pattern, _)| pattern.is_match(root))
        .map_or_else(|| root.to_owned(), |(pattern, stands)| pattern.replace(root, *stands).into_owned())
}

/// Ids, terminal, priority and threads of a process; the rest are times and addresses.
fn stat(text: &str) -> String {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let kept = [0, 1, 2, 3, 4, 5, 6, 7, 17, 18, 19];
    kept.iter().filter_map(|at| fields.get(*at).copied()).collect::<Vec<_>>().join(" ")
}

/// The figures of memory and scheduling left out, the filter of the recorder's supervisor, and that the recorded shell
/// ignores SIGQUIT by itself.
fn status(text: &str) -> String {
    const QUIT: u64 = 1 << 2;
    const FIGURES: [&str; 9] =
        ["Vm", "Rss", "Hugetlb", "FDSize", "SigQ", "voluntary", "nonvoluntary", "Cpus_allowed", "Mems_allowed"];
    let kept = text.lines().filter(|line| !FIGURES.iter().any(|figure| line.starts_with(figure)));
    let lines = kept.map(|line| match line {
        "Seccomp:\t2" => "Seccomp:\t0".to_owned(),
        line if line.starts_with("Seccomp_filters:") => "Seccomp_filters:\t0".to_owned(),
        line => match line.strip_prefix("SigIgn:\t").and_then(|mask| u64::from_str_radix(mask, 16).ok()) {
            Some(mask) => format!("SigIgn:\t{:016x}", mask & !QUIT),
            None => line.to_owned(),
        },
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Interfaces without their numbers, which count up on the whole machine, the names of host sides, which are the
/// daemon's own, and what passes within a second: carriers, addresses that are being tried.
fn interfaces(text: &str) -> String {
    static CHANCE: LazyLock<[(Regex, &str); 5]> = LazyLock::new(|| {
        [
            (r"(?m)^\d+: ", "<n>: "),
            // Host sides of other containers, and of those to come.
            (r"(?m)^(<n>: (veth|vd)[0-9a-f]{6,}@\S* .*|\S.* dev (veth|vd)[0-9a-f]{6,} .*)\n?(?:^ .*\n?)*", ""),
            (r"@if\d+", "@if<n>"),
            (r"\b(veth|vd)[0-9a-f]{6,}", "<veth>"),
            (r"(?m)( tentative|NO-CARRIER,|,LOWER_UP|,M-DOWN| qlen 1000| $)", ""),
        ]
        .map(|(pattern, stands)| (Regex::new(pattern).expect("a fixed pattern"), stands))
    });
    let told =
        CHANCE.iter().fold(text.to_owned(), |text, (pattern, stands)| pattern.replace_all(&text, *stands).into_owned());
    told.trim_end().to_owned()
}

/// `pid ppid pgrp session tty tpgid: 0 7 7 0 -1 self 7`: which of them are the process itself.
fn own_ids(text: &str) -> String {
    let Some((names, ids)) = text.split_once(": ") else { return text.to_owned() };
    let words: Vec<&str> = ids.split(' ').collect();
    let own = words.last().copied().unwrap_or_default();
    let told = words.iter().enumerate().map(|(at, word)| match *word {
        // Which of the host's terminals it is, is chance.
        word if at == 3 && word.parse().is_ok_and(|tty: u32| tty >> 8 == 136) => "<terminal>",
        word if at == 3 || ["0", "1", "-1", "self"].contains(&word) => word,
        word if word == own => "<self>",
        _ => "<pid>",
    });
    format!("{names}: {}", told.collect::<Vec<_>>().join(" "))
}

/// `ps -o ppid,user,comm`: a parent that is not the first process by its kind.
fn parents(text: &str) -> String {
    let told = |line: &str| match line.trim_start().split_once(' ') {
        Some((parent, rest)) if parent.parse::<u32>().is_ok_and(|parent| parent > 1) => format!("<pid> {rest}"),
        _ => line.trim_start().to_owned(),
    };
    text.lines().map(told).collect::<Vec<_>>().join("\n")
}

/// The keyrings that a process sees, without uses and expiry; their order is that of made-up numbers.
fn keyrings(text: &str) -> String {
    let mut told: Vec<String> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(6..).unwrap_or_default().join(" ").split(": ").next().unwrap_or_default().to_owned()
        })
        .collect();
    told.sort_unstable();
    told.join("\n")
}

/// Pipes and sockets by the order in which they come.
fn pipes(text: &str) -> String {
    static ANONYMOUS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(pipe|socket):\[(\d+)\]").expect("a fixed pattern"));
    let mut known: BTreeMap<String, char> = BTreeMap::new();
    ANONYMOUS
        .replace_all(text, |found: &Captures<'_>| {
            let next = (b'a' + u8::try_from(known.len()).unwrap_or(25)) as char;
            format!("{} {}", &found[1], known.entry(found[2].to_owned()).or_insert(next))
        })
        .into_owned()
}

/// Which of the host's terminals one is, by its device number and by its path.
fn terminals(text: &str) -> String {
    static NUMBERS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(88,|136, +|/dev/pts/)[0-9a-f]+\b").expect("a fixed pattern"));
    NUMBERS.replace_all(text, "$1<n>").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_told_by_order_and_kind() {
        let id = "0123456789abcdef".repeat(4);
        let names = Names::new([("c:web", id.as_str())].into_iter());
        let live = format!(
            "812 700 0:55 /vfs/dir/{id}/rootfs / rw - tmpfs tmpfs rw\n\
             813 812 0:9 / /proc rw - proc proc rw\n\
             814 812 0:55 /containers/{id}/hosts /etc/hosts rw - tmpfs tmpfs rw"
        );
        let recorded = "1 0 0:1 /vfs/dir/{c:web} / rw - tmpfs tmpfs rw\n\
                        2 1 0:2 / /proc rw - proc proc rw\n\
                        3 1 0:1 /containers/{c:web}/hosts /etc/hosts rw - tmpfs tmpfs rw";
        let what = "cat /proc/self/mountinfo";
        assert_eq!(comparable(what, &names.put(&live)), comparable(what, recorded));
    }

    #[test]
    fn what_is_chance_is_told_by_its_kind() {
        for (what, text, expected) in [
            ("fds", "0 /dev/null\n1 pipe:[88]\n2 pipe:[90]\n3 pipe:[88]", "0 /dev/null\n1 pipe a\n2 pipe b\n3 pipe a"),
            (
                "echo pid ppid pgrp",
                "ids: 0 77 77 34816 77 self 77",
                "ids: 0 <self> <self> <terminal> <self> self <self>",
            ),
            ("ps -o ppid,user,comm", "PPID USER\n   23 root sh", "PPID USER\n<pid> root sh"),
            (
                "ip addr",
                "5: eth0@if6: <UP> inet6 tentative\n6: veth0a1b2c3@if5: <UP>\n    link\n7: lo: <UP>",
                "<n>: eth0@if<n>: <UP> inet6\n<n>: lo: <UP>",
            ),
            ("grep /proc/$$/status", "Seccomp:\t2\nVmRSS: 3 kB\nUid:\t0", "Seccomp:\t0\nUid:\t0"),
        ] {
            assert_eq!(comparable(what, text), expected);
        }
    }
}
