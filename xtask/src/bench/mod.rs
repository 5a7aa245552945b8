//! `cargo xtask bench`: the workloads of the field, on several daemons in one interleaved run.
//!
//! Absolute times move from hour to hour, so what counts is the ratio within one run. Nothing here is a test.

mod containers;
mod files;
mod floor;
mod http;
mod images;
mod measure;
mod network;
mod streams;
mod system;
pub(crate) mod target;

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use drydock_conformance::run::Interrupt;

use self::{
    measure::{Row, Samples, Unit, table},
    target::Target,
};
use crate::{artifacts, cargo, image::Program};

/// Measure daemons side by side: time, processor time, memory.
///
/// By default drydockd and, where `dockerd` is installed, that daemon, each in namespaces of its own with its data on
/// the same disk; beside them the floor of bare system calls where a workload has one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The workloads.
    #[arg(value_enum, default_value = "all")]
    group: Group,
    /// Measure only workloads whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// A running daemon in place of those that would be started, as NAME=unix:///PATH; may be repeated.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = named)]
    target: Vec<(String, String)>,
    /// How often each workload runs on each target.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    All,
    Images,
    Lifecycle,
    Streams,
}

fn named(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .ok_or_else(|| "is not NAME=ADDRESS".to_owned())
}

/// One workload.
struct Work {
    group: Group,
    name: &'static str,
    unit: Unit,
    goal: &'static str,
    /// Rounds at most; what is slow or steady needs few.
    rounds: u32,
    /// Before the first round on a target.
    prepare: fn(&mut Target) -> Result<()>,
    /// One round: the figure.
    run: fn(&mut Target) -> Result<f64>,
    /// After the last round on a target.
    clear: fn(&mut Target) -> Result<()>,
    /// The same work by bare system calls.
    floor: Option<fn() -> Result<f64>>,
}

fn nothing(_: &mut Target) -> Result<()> {
    Ok(())
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let interrupt = Interrupt::on_signals();
    let root = cargo::target().join("bench");
    let mut targets = if args.target.is_empty() {
        start(&root)?
    } else {
        args.target.iter().map(|(name, address)| Target::named(name, address)).collect()
    };
    let image = crate::image::build(Program::Own).context("building the image")?;
    for target in &mut targets {
        target.load(&image.archive)?;
    }
    let works =
        [system::works(), images::works(), containers::works(), files::works(), network::works(), streams::works()];
    let mut rows = Vec::new();
    for work in works.into_iter().flatten().filter(|work| args.group == Group::All || work.group == args.group) {
        if !interrupt.is_set() && args.only.as_ref().is_none_or(|text| work.name.contains(text.as_str())) {
            eprintln!("measuring {}", work.name);
            rows.push(measure(&work, &mut targets, args.rounds.min(work.rounds), &interrupt));
        }
    }
    let mut names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    names.push("floor".to_owned());
    print!("{}", table(&names, &rows));
    drop(targets);
    let _ = std::fs::remove_dir_all(&root);
    Ok(ExitCode::SUCCESS)
}

fn start(root: &std::path::Path) -> Result<Vec<Target>> {
    let artifacts = artifacts::all(Program::Own)?;
    let mut targets = vec![Target::start("drydockd", &target::reference(&artifacts), root)?];
    if Command::new("dockerd").arg("--version").output().is_ok() {
        let theirs = [
            "dockerd",
            "-H",
            "unix://{folder}/docker.sock",
            "--data-root",
            "{folder}/data",
            "--exec-root",
            "/run/docker",
            "--pidfile",
            "/run/docker.pid",
        ]
        .map(str::to_owned);
        targets.push(Target::start("dockerd", &theirs, root)?);
    } else {
        eprintln!("dockerd is not installed: only drydockd and the floor are measured");
    }
    Ok(targets)
}

/// The most by which the floor may move within a round that counts.
const STEADY: f64 = 1.4;

/// Runs a workload on all targets in turn, round by round, the floor before and after. A round in which the floor moved
/// too far says more of the machine than of the daemons: it is measured again, a few times at most.
fn measure(work: &Work, targets: &mut [Target], rounds: u32, interrupt: &Interrupt) -> Row {
    let mut samples = vec![Samples::default(); targets.len() + 1];
    for (target, samples) in targets.iter_mut().zip(&mut samples) {
        note(samples, (work.prepare)(target).map(|()| None), None);
    }
    let (mut counted, mut unsteady) = (0, 0);
    while counted < rounds && !interrupt.is_set() {
        let round = Round::of(work, targets, &samples);
        if unsteady < rounds && round.moved() > STEADY {
            unsteady += 1;
            continue;
        }
        counted += 1;
        round.count(&mut samples);
    }
    for (target, samples) in targets.iter_mut().zip(&mut samples) {
        note(samples, (work.clear)(target).map(|()| None), None);
    }
    Row { work: work.name, unit: work.unit, goal: work.goal, samples, unsteady }
}

/// One round.
struct Round {
    /// Of each target, its figure and the processor time; `None` where it failed before.
    targets: Vec<Option<(Result<f64>, Option<Duration>)>>,
    /// Before and after the targets.
    floor: Option<[Result<f64>; 2]>,
}

impl Round {
    fn of(work: &Work, targets: &mut [Target], samples: &[Samples]) -> Self {
        let before = work.floor.map(|floor| floor());
        let run = |(target, samples): (&mut Target, &Samples)| {
            if samples.failure.is_some() {
                return None;
            }
            let before = target.cpu();
            let figure = (work.run)(target);
            Some((figure, target.cpu().zip(before).map(|(after, before)| after.saturating_sub(before))))
        };
        let targets = targets.iter_mut().zip(samples).map(run).collect();
        Self { targets, floor: before.zip(work.floor.map(|floor| floor())).map(|(before, after)| [before, after]) }
    }

    /// How many times the smaller of the floor's figures the larger one is; 1 without a floor.
    fn moved(&self) -> f64 {
        match &self.floor {
            Some([Ok(before), Ok(after)]) => before.max(*after) / before.min(*after),
            _ => 1.0,
        }
    }

    /// `samples`: the targets', then the floor's.
    fn count(self, samples: &mut [Samples]) {
        let (floor, targets) = samples.split_last_mut().expect("the floor has samples");
        for (samples, round) in targets.iter_mut().zip(self.targets) {
            if let Some((figure, cpu)) = round {
                note(samples, figure.map(Some), cpu);
            }
        }
        self.floor.into_iter().flatten().for_each(|figure| note(floor, figure.map(Some), None));
    }
}

fn note(samples: &mut Samples, figure: Result<Option<f64>>, cpu: Option<Duration>) {
    match figure {
        Ok(Some(figure)) => samples.push(figure, cpu),
        Ok(None) => {}
        Err(error) => {
            samples.failure.get_or_insert(format!("{error:#}"));
        }
    }
}
