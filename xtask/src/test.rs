//! Everything that shows the project right, in one command with one line at the end.

use crate::cargo;
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

/// Run every test: the project's rules, unit and property tests, the spec against clauses and recordings, the suite
/// against recordings and drydockd.
///
/// Says first what this machine lacks and which tests that skips, and ends with `N passed, N failed`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these stages; all if none is named.
    #[arg(value_name = "STAGE")]
    only: Vec<String>,
    /// Name the stages and end.
    #[arg(long)]
    list: bool,
}

struct Stage {
    name: &'static str,
    shows: &'static str,
    work: Work,
}

enum Work {
    /// `cargo test` over the workspace: counts test by test.
    CargoTest,
    /// One of our own commands: counts as one.
    Task(&'static [&'static str]),
}

const STAGES: &[Stage] = &[
    Stage { name: "tidy", shows: "the project's own rules", work: Work::Task(&["tidy"]) },
    Stage { name: "unit", shows: "unit, property, snapshot and crash tests", work: Work::CargoTest },
    Stage { name: "spec", shows: "the spec against clauses and recordings", work: Work::Task(&["spec", "check"]) },
    Stage {
        name: "recordings",
        shows: "every check over the genuine daemons' recordings",
        work: Work::Task(&["conformance", "--target", "recordings:all"]),
    },
    Stage {
        name: "sensitivity",
        shows: "lies told in recordings are caught",
        work: Work::Task(&["conformance", "--sensitivity", "--survivors", "0"]),
    },
    Stage {
        name: "daemon",
        shows: "routes, fields and framing against drydockd, six versions at exact",
        work: Work::Task(&["conformance", "--only", "route *", "--only", "field *", "--only", "framing *"]),
    },
];

/// What a machine may lack, how that is seen, and what is skipped without it.
const NEEDS: &[(&str, fn() -> bool, &str)] = &[
    ("root", is_root, "crash tests on overlay, networks, containers, the suite's live containers"),
    ("overlayfs", has_overlay, "the overlay driver's tests; vfs stands in"),
    ("network namespaces", has_network_namespaces, "networks, published ports"),
    ("user namespaces", has_user_namespaces, "lives without root"),
    ("iptables", || has_program("iptables-restore"), "port rules"),
    (
        "systemd-journald",
        || Path::new("/lib/systemd/systemd-journald").exists(),
        "the journald driver against a real journal",
    ),
];

#[derive(Default)]
struct Count {
    passed: usize,
    failed: usize,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if args.list {
        STAGES.iter().for_each(|stage| println!("{:12} {}", stage.name, stage.shows));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(unknown) = args.only.iter().find(|name| !STAGES.iter().any(|stage| stage.name == **name)) {
        bail!("no stage is named {unknown}; --list names them");
    }
    for (what, there, skipped) in NEEDS {
        if !there() {
            println!("this machine lacks {what}: skipped are {skipped}");
        }
    }
    let mut total = Count::default();
    for stage in STAGES.iter().filter(|stage| args.only.is_empty() || args.only.iter().any(|name| name == stage.name)) {
        println!("\n── {}: {}", stage.name, stage.shows);
        let clock = Instant::now();
        let count = match stage.work {
            Work::CargoTest => cargo_test()?,
            Work::Task(words) => task(words)?,
        };
        println!("   {} passed, {} failed in {:.0} s", count.passed, count.failed, clock.elapsed().as_secs_f64());
        total.passed += count.passed;
        total.failed += count.failed;
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Another command of ours, as a process of its own: what it leaves behind is its own.
fn task(words: &[&str]) -> Result<Count> {
    let own = std::env::current_exe().context("finding this program")?;
    let status = Command::new(own).args(words).current_dir(cargo::root()).status().context("starting xtask")?;
    Ok(if status.success() { Count { passed: 1, failed: 0 } } else { Count { passed: 0, failed: 1 } })
}

/// All tests of the workspace. Shows what failed and what was skipped; the rest is a count.
fn cargo_test() -> Result<Count> {
    let mut command = cargo::command();
    command.args(["test", "--workspace", "--no-fail-fast", "--quiet", "--", "--format=pretty", "--show-output"]);
    let mut child = command.stdout(Stdio::piped()).spawn().context("starting cargo test")?;
    let output = child.stdout.take().context("no output of cargo test")?;
    let (count, skipped) = read(output, &mut |line| println!("{line}"))?;
    let status = child.wait().context("waiting for cargo test")?;
    for reason in skipped {
        println!("   {reason}");
    }
    // A test program that does not build or dies has no line of its own.
    let lost = usize::from(!status.success() && count.failed == 0);
    Ok(Count { failed: count.failed + lost, ..count })
}

/// Counts results, gathers reasons for skipping, and passes on what a reader must see of failures.
fn read(output: impl Read, show: &mut impl FnMut(&str)) -> Result<(Count, BTreeSet<String>)> {
    let mut count = Count::default();
    let mut skipped = BTreeSet::new();
    let mut in_failures = false;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading the output of cargo test")?;
        let line = String::from_utf8_lossy(&line);
        if let Some(results) = line.strip_prefix("test result: ") {
            in_failures = false;
            count.passed += number_before(results, " passed");
            count.failed += number_before(results, " failed");
            continue;
        }
        let reason = line.trim_start();
        if reason.starts_with("SKIPPED: ") || reason.starts_with("skipped: ") {
            skipped.insert(format!("skipped: {}", &reason[9..]));
        }
        in_failures = (in_failures || line == "failures:") && line != "successes:";
        if in_failures || line.ends_with("... FAILED") {
            show(&line);
        }
    }
    Ok((count, skipped))
}

fn number_before(text: &str, word: &str) -> usize {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn has_overlay() -> bool {
    fs::read_to_string("/proc/filesystems").is_ok_and(|text| text.lines().any(|line| line.ends_with("\toverlay")))
}

fn has_user_namespaces() -> bool {
    let most = fs::read_to_string("/proc/sys/user/max_user_namespaces");
    most.is_ok_and(|text| text.trim().parse::<u64>().is_ok_and(|most| most > 0))
}

fn has_network_namespaces() -> bool {
    let tried = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_add_up_and_reasons_for_skipping_are_told_once() {
        let output = "test a ... ok\ntest b ... FAILED\n\nsuccesses:\n---- a stdout ----\nSKIPPED: no root\nSKIPPED: no root\n\n\
                      failures:\n---- b stdout ----\npanicked\n\nfailures:\n    b\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured\n\
                      test result: ok. 12 passed; 0 failed; 3 ignored\n";
        let mut shown = Vec::new();
        let (count, skipped) = read(output.as_bytes(), &mut |line| shown.push(line.to_owned())).unwrap();
        assert_eq!((count.passed, count.failed), (13, 1));
        assert_eq!(skipped.into_iter().collect::<Vec<_>>(), ["skipped: no root"]);
        assert!(shown.contains(&"panicked".to_owned()) && !shown.contains(&"test a ... ok".to_owned()));
    }
}
