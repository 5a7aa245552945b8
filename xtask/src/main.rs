//! The commands people type: `cargo xtask <command>`. One file per task; CI calls nothing else.

#![forbid(unsafe_code)]

mod artifacts;
mod bench;
mod cargo;
mod clients;
mod conformance;
mod image;
mod spec;
mod test;
mod tidy;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Build, check and measure Drydock.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

// Made once, so its size is nobody's concern.
#[allow(clippy::large_enum_variant)]
#[derive(Subcommand)]
enum Task {
    Conformance(conformance::Args),
    Test(test::Args),
    Spec(spec::Args),
    Image(image::Args),
    Tidy(tidy::Args),
    Bench(bench::Args),
    Clients(clients::Args),
}

/// Whether there is a task of that name.
fn is_task(name: &str) -> bool {
    Cli::command().get_subcommands().any(|task| task.get_name() == name)
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Conformance(args) => conformance::run(args),
        Task::Test(args) => test::run(args),
        Task::Spec(args) => spec::run(args),
        Task::Image(args) => image::run(args),
        Task::Tidy(args) => tidy::run(args),
        Task::Bench(args) => bench::run(args),
        Task::Clients(args) => clients::run(args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
