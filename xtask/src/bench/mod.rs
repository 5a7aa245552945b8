//! `cargo xtask bench`: the workloads of the field, on several daemons in one interleaved run.
//!
//! Absolute times move from hour to hour, so what counts is the ratio within one run. Nothing here is a test.

mod containers;
mod floor;
mod http;
mod images;
mod measure;
mod streams;
mod system;
pub(crate) mod target;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::ValueEnum;

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
    let works = system::works().into_iter().chain(images::works()).chain(containers::works()).chain(streams::works());
    let mut rows = Vec::new();
    for work in works.filter(|work| args.group == Group::All || work.group == args.group) {
        if args.only.as_ref().is_none_or(|text| work.name.contains(text.as_str())) {
            eprintln!("measuring {}", work.name);
            rows.push(measure(&work, &mut targets, args.rounds.min(work.rounds)));
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

/// Runs a workload on all targets in turn, round by round, the floor before and after.
fn measure(work: &Work, targets: &mut [Target], rounds: u32) -> Row {
    let mut samples = vec![Samples::default(); targets.len() + 1];
    for (target, samples) in targets.iter_mut().zip(&mut samples) {
        note(samples, (work.prepare)(target).map(|()| None), None);
    }
    for _ in 0..rounds {
        floor_round(work, samples.last_mut());
        for (target, samples) in targets.iter_mut().zip(&mut samples) {
            if samples.failure.is_none() {
                let before = target.cpu();
                let figure = (work.run)(target);
                let used = target.cpu().zip(before).map(|(after, before)| after.saturating_sub(before));
                note(samples, figure.map(Some), used);
            }
        }
        floor_round(work, samples.last_mut());
    }
    for (target, samples) in targets.iter_mut().zip(&mut samples) {
        note(samples, (work.clear)(target).map(|()| None), None);
    }
    Row { work: work.name, unit: work.unit, goal: work.goal, samples }
}

fn floor_round(work: &Work, samples: Option<&mut Samples>) {
    if let (Some(floor), Some(samples)) = (work.floor, samples) {
        note(samples, floor().map(Some), None);
    }
}

fn note(samples: &mut Samples, figure: Result<Option<f64>>, cpu: Option<std::time::Duration>) {
    match figure {
        Ok(Some(figure)) => samples.push(figure, cpu),
        Ok(None) => {}
        Err(error) => {
            samples.failure.get_or_insert(format!("{error:#}"));
        }
    }
}
