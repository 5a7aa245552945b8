//! What an observation's words call for.

use std::{sync::LazyLock, time::Duration};

use regex::Regex;

use super::scenario::Observed;

/// A probe: how something is looked at again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Look<'o> {
    /// What the probe last run wrote behind `@@@ STEP`.
    Section(&'o str),
    /// All that the container or exec last made wrote.
    Output,
    /// The first line of it: `/proc/self/cgroup`, which the command shows before it sleeps.
    FirstOutput,
    /// A command beside the daemon.
    Beside(&'o str),
    /// A command in another container, made for it.
    InAnother(&'o str),
    /// A container's `State`.
    State(&'o str),
    /// A container's `NetworkSettings`.
    Network(&'o str),
    /// The published ports of each container of the scenario.
    Ports,
    /// `State` of each container of the scenario, in a word.
    States,
    /// A container's log, through the API.
    Logs(&'o str),
    /// Addresses and ports of each container of the scenario.
    Addresses,
    /// All events since the scenario began.
    AllEvents,
    /// The events since the last look at them.
    NewEvents,
    /// How long the last request took, in seconds.
    Took,
    /// The changes of `State` and `RestartCount` since the last request.
    Timeline,
    /// The moments at which `StartedAt` changed.
    Starts,
    /// How `HostConfig.Links` and `Name` of the linking container stand.
    Links,
    /// The names of all containers.
    Names,
    /// `HostConfig.LogConfig`, and whether there is a `LogPath`.
    LogConfig,
    /// The json-file log, line by line.
    LogFile,
    /// The frames of `/logs`: stream, size and last byte.
    LogFrames,
    /// A file in the container's folder, which is the daemon's own.
    FolderFile,
    /// The daemon is sent a signal, and how it ends.
    End(i32),
    /// The daemon is started again.
    StartAgain(&'o str),
    /// Nothing: the suite has no probe for it.
    None(&'static str),
}

/// The look for an observation; `probe` is the script of the container or exec last made.
pub(super) fn look<'o>(observed: &'o Observed, probe: &str) -> Look<'o> {
    let what = observed.seen.what.as_str();
    if probe.contains(&format!("@@@ {}", observed.step)) {
        return Look::Section(&observed.step);
    }
    if let Some(command) = what.strip_prefix("beside the daemon: ") {
        return Look::Beside(command);
    }
    if let Some(command) = what.strip_prefix("in another container: ") {
        return Look::InAnother(command);
    }
    if let Some(name) = what.strip_prefix("NetworkSettings of ") {
        return Look::Network(name);
    }
    if let Some(name) = what.strip_prefix("State of ").filter(|name| !name.contains(' ') && *name != "each") {
        return Look::State(name);
    }
    if let Some(name) = what.strip_prefix("logs of ") {
        return Look::Logs(name);
    }
    if let Some(signal) = signal(what) {
        return Look::End(signal);
    }
    if let Some(flags) = what.strip_prefix("daemon started again") {
        return Look::StartAgain(flags.trim());
    }
    match what {
        "cat /proc/self/cgroup in the container" => Look::FirstOutput,
        "State of each" => Look::States,
        "NetworkSettings: IPAddress, Ports" => Look::Addresses,
        "NetworkSettings.Ports of each" => Look::Ports,
        "/events of all this" => Look::AllEvents,
        "/events after it" | "/events of it" => Look::NewEvents,
        "seconds" => Look::Took,
        "State and RestartCount, asked every 20 ms: each change" | "the same after it" => Look::Timeline,
        "HostConfig.Links and Name of web" => Look::Links,
        "Names of all" => Look::Names,
        "HostConfig.LogConfig, LogPath" => Look::LogConfig,
        "the json-file log, line by line; long lines by their length and their ends" => Look::LogFile,
        "frames of /logs: stream, size, last byte" => Look::LogFrames,
        "the file in the container's folder" => Look::FolderFile,
        "the daemon's last log lines" => Look::None("what a daemon writes into its own log is its own affair"),
        "how these containers were made to start" => Look::None("it tells how the recorder got round its machine"),
        _ if what.starts_with("when StartedAt changed") => Look::Starts,
        _ if what.starts_with("why the daemon ended by itself") => {
            Look::None("the genuine daemon ended by a fault of its own")
        }
        _ if what.starts_with("docker -d") || what.starts_with("a second docker -d") => {
            Look::None("the suite does not start drydockd with the flags of this scenario yet")
        }
        _ if probe.is_empty() => Look::None("the suite has no probe for it yet"),
        _ => Look::Output,
    }
}

fn signal(what: &str) -> Option<i32> {
    static SIGNAL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^exit status of the daemon after signal (\d+), and seconds$").expect("a fixed pattern")
    });
    SIGNAL.captures(what)?[1].parse().ok()
}

/// How long the daemon may take to end.
pub(super) const END: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Observation;

    fn observed(step: &str, what: &str) -> Observed {
        let seen = Observation { what: what.into(), result: "".into() };
        Observed { step: step.into(), nth: 1, seen, origin: String::new() }
    }

    #[test]
    fn words_call_for_a_probe() {
        for (what, probe, expected) in [
            ("id", "echo '@@@ step'\n{ id\n} 2>&1", Look::Section("step")),
            ("env, as the first process", "env", Look::Output),
            ("beside the daemon: ls /run", "", Look::Beside("ls /run")),
            ("in another container: id", "", Look::InAnother("id")),
            ("State of ex1", "", Look::State("ex1")),
            ("NetworkSettings of web", "env", Look::Network("web")),
            ("State of each", "", Look::States),
            ("exit status of the daemon after signal 15, and seconds", "", Look::End(15)),
            ("daemon started again -r=false", "", Look::StartAgain("-r=false")),
        ] {
            assert_eq!(look(&observed("step", what), probe), expected, "{what}");
        }
    }
}
