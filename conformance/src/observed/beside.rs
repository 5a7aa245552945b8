//! Commands beside the daemon, as they were recorded, on the data root as `drydockd` lays it out.

use std::sync::LazyLock;

use regex::Regex;

/// A recorded command with the places of this daemon; ids are filled in already.
pub(super) fn command(recorded: &str, folder: &str) -> String {
    static ROOT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"/var/lib/docker/vfs/dir/([0-9a-f]{64})").expect("a fixed pattern"));
    let here = recorded.replace("{DIR}", folder);
    ROOT.replace_all(&here, "/var/lib/docker/layers/containers/$1/tree").into_owned()
}

/// What such a command said, without what is the layout of a data root: where layers lie, and how many they are.
pub(super) fn comparable(command: &str, said: &str) -> String {
    let lines = said.lines().filter(|line| !line.starts_with("vfs/dir: "));
    let mut lines: Vec<String> = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    if command.contains("sort") {
        lines.sort_unstable();
    }
    // One of each interface on the bridge; drydockd has some there that wait for their containers.
    if command.contains("hairpin_mode") {
        lines.dedup();
    }
    lines.join("\n")
}

/// Whether a command changes something, so that it is given once.
pub(super) fn changes(command: &str) -> bool {
    ["mkdir", "rm ", "rmdir", ">>", "umount"].iter().any(|word| command.contains(word))
}

/// The program that a shell did not find.
pub(super) fn lacks(said: &str) -> Option<String> {
    static MISSING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)line \d+: (\S+): command not found$").expect("a fixed pattern"));
    Some(MISSING.captures(said)?[1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_asked_of_this_daemons_places() {
        let id = "0123456789abcdef".repeat(4);
        let line = command(&format!("cat /var/lib/docker/vfs/dir/{id}/o {{DIR}}/x"), "/tmp/d");
        assert_eq!(line, format!("cat /var/lib/docker/layers/containers/{id}/tree/o /tmp/d/x"));
        assert_eq!(comparable("x", "vfs/dir: 4\nvolumes: 1\n      1 a\n"), "volumes: 1\n1 a");
        assert_eq!(lacks("bash: line 1: ss: command not found\n").as_deref(), Some("ss"));
    }
}
