//! Runs the suite against a daemon or the recordings.

use std::{fs, io::IsTerminal, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::ValueEnum;
use drydock_conformance::{
    exchange::Recordings,
    recorded,
    report::{self, Bar, summary},
    run::{Allow, Daemon, Event, Interrupt, Options, Require, Target, run as run_suite},
    sensitivity::sensitivity,
    verdict::{Deviations, Report, Verdict, changes},
};
use drydock_spec::{Spec, VERSIONS, Version, judge::Level};

use crate::{
    artifacts, cargo,
    image::{self, Program},
};

/// Judge a daemon, statement by statement and version by version.
///
/// Without a target it builds and starts drydockd on a private socket, in a network namespace of its own, and stops it
/// afterwards. On somebody's daemon it brings its own small image, names everything it makes with the run's id, and
/// removes all of it, also when interrupted.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// unix:///path/to.sock, tcp://host:port, recordings:1.6.2 or recordings:all; drydockd if absent.
    #[arg(long, value_name = "TARGET")]
    target: Option<Target>,
    /// Versions to judge, as 1.16,1.19; all six if absent.
    #[arg(long, value_name = "VERSIONS", value_delimiter = ',')]
    api: Vec<Version>,
    /// Only checks, endpoints or scenarios that match, `*` standing for anything: 'containers.*'. May be repeated.
    #[arg(long, value_name = "GLOB")]
    only: Vec<String>,
    /// Only checks that decide this clause; `*` stands for anything.
    #[arg(long, value_name = "CLAUSE")]
    clause: Option<String>,
    /// documented: what a client written from the documents relies on. exact: all that the genuine daemon did.
    /// [default: exact for drydockd, documented for others]
    #[arg(long, value_enum)]
    level: Option<LevelName>,
    /// How much is judged at once. [default: one job per version]
    #[arg(long)]
    jobs: Option<usize>,
    /// Write report.html, junit.xml and report.json into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// A report.json of an earlier run: say what changed since.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// What the target is known to do otherwise (conformance/deviations/*.toml).
    #[arg(long, value_name = "FILE")]
    deviations: Option<PathBuf>,
    /// Print the names of the checks and end.
    #[arg(long)]
    list: bool,
    /// End at the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Run everything so often; a check that is not judged the same each time fails.
    #[arg(long, default_value_t = 1, value_name = "TIMES")]
    repeat: u32,
    /// Fail where something is blocked, or skipped.
    #[arg(long, value_enum, value_name = "WHAT")]
    require: Vec<RequireName>,
    /// Also do what may disturb others who use the target.
    #[arg(long, value_enum, value_name = "WHAT")]
    allow: Vec<AllowName>,
    /// Mutate recorded exchanges and print which check caught which mutation.
    #[arg(long)]
    sensitivity: bool,
    /// Of each mutation, how many survivors to print.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    survivors: usize,
    /// The program in the suite's image.
    #[arg(long, value_enum, default_value = "own")]
    image: Program,
}

#[derive(Clone, Copy, ValueEnum)]
enum LevelName {
    Documented,
    Exact,
}

#[derive(Clone, Copy, ValueEnum)]
enum RequireName {
    /// Nothing may be blocked.
    Unblocked,
    /// Nothing may be blocked or skipped.
    Everything,
}

#[derive(Clone, Copy, ValueEnum)]
enum AllowName {
    Disruptive,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let spec = Spec::embedded();
    if args.list {
        return list(spec, &args);
    }
    if args.sensitivity {
        let table = sensitivity(spec, &Recordings::of_the_project())?;
        print!("{}", table.show(args.survivors));
        let (applied, caught) = table.totals();
        return Ok(if applied > 0 && caught * 100 >= applied * 95 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    // Before any thread is started: they inherit that the signals wait.
    let interrupt = Interrupt::on_signals();
    let options = options(&args)?;
    let bar = std::io::stderr().is_terminal().then(Bar::new);
    let tell = |event: Event<'_>| match (&bar, event) {
        (Some(bar), event) => bar.tell(event),
        (None, Event::Note(text)) => eprintln!("{text}"),
        (None, _) => {}
    };
    let report = run_suite(&options, spec, &interrupt, &tell)?;
    drop(bar);
    finish(&args, &report)
}

fn options(args: &Args) -> Result<Options> {
    let target = match &args.target {
        Some(target) => target.clone(),
        None => Target::Own(Daemon { daemon: artifacts::daemon()?, shim: artifacts::shim()? }),
    };
    let level = match (args.level, &target) {
        (Some(LevelName::Exact), _) | (None, Target::Own(_) | Target::Recordings(_)) => Level::Exact,
        (Some(LevelName::Documented), _) | (None, Target::Daemon(_)) => Level::Documented,
    };
    let image = match &target {
        Target::Recordings(_) => recorded::Image::default(),
        Target::Own(_) | Target::Daemon(_) => {
            let built = image::build(args.image)?;
            let read = |path: &PathBuf| fs::read(path).with_context(|| format!("reading {}", path.display()));
            recorded::Image {
                archive: read(&built.archive)?,
                layer: read(&built.layer)?,
                udp_echo: read(&built.udp_echo)?,
            }
        }
    };
    let mut versions = if args.api.is_empty() { VERSIONS.to_vec() } else { args.api.clone() };
    versions.sort();
    versions.dedup();
    Ok(Options {
        jobs: args.jobs.unwrap_or(versions.len()),
        target,
        versions,
        level,
        only: args.only.clone(),
        clause: args.clause.clone(),
        fail_fast: args.fail_fast,
        repeat: args.repeat,
        allow: args.allow.iter().map(|AllowName::Disruptive| Allow::Disruptive).collect(),
        require: args
            .require
            .iter()
            .map(|what| match what {
                RequireName::Unblocked => Require::Unblocked,
                RequireName::Everything => Require::Everything,
            })
            .collect(),
        deviations: deviations(args)?,
        image,
        run: run_id(),
    })
}

/// The deviations asked for; of recordings those that are known of genuine daemons under older prefixes.
fn deviations(args: &Args) -> Result<Option<Deviations>> {
    let known = cargo::root().join("conformance/deviations/recordings.toml");
    let path = match (&args.deviations, &args.target) {
        (Some(path), _) => path,
        (None, Some(Target::Recordings(_))) => &known,
        (None, _) => return Ok(None),
    };
    Ok(Some(Deviations::read(path)?))
}

/// Short, and unlike any other run's.
fn run_id() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("dd{:x}", (now as u64 ^ (u64::from(std::process::id()) << 20)) & 0xff_ffff)
}

fn list(spec: &Spec, args: &Args) -> Result<ExitCode> {
    let versions = if args.api.is_empty() { VERSIONS.to_vec() } else { args.api.clone() };
    for name in drydock_conformance::run::names(spec, &versions)? {
        if args.only.is_empty() || args.only.iter().any(|glob| drydock_conformance::run::is_named(glob, &name)) {
            println!("{name}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the summary, writes the reports, and decides the exit status.
fn finish(args: &Args, report: &Report) -> Result<ExitCode> {
    print!("{}", summary(report, std::io::stdout().is_terminal()));
    if let Some(folder) = &args.report {
        for path in report::write(report, folder)? {
            println!("{}", path.display());
        }
    }
    let mut changed = false;
    if let Some(path) = &args.since {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let before: Report = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        for change in changes(&before, report) {
            changed = true;
            let name = |verdict: Option<Verdict>| verdict.map_or("not run", Verdict::name);
            println!(
                "{} {}: {} → {}: {}",
                change.version,
                change.check,
                name(change.before),
                name(change.now),
                change.reason
            );
        }
    }
    let totals = report.totals();
    let count = |verdict: Verdict| totals.get(&verdict).copied().unwrap_or(0);
    let lacking = args.require.iter().any(|what| match what {
        RequireName::Unblocked => count(Verdict::Blocked) > 0,
        RequireName::Everything => count(Verdict::Blocked) + count(Verdict::Skipped) > 0,
    });
    Ok(if report.is_good() && !lacking && !changed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
