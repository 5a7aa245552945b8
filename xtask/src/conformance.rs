//! Runs the suite against a daemon or the recordings.

use anyhow::{Result, bail};
use std::process::ExitCode;

/// Judge a daemon, statement by statement and version by version.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<ExitCode> {
    bail!("the suite is not linked in yet")
}
