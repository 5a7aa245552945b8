//! `test`.

use anyhow::{Result, bail};
use std::process::ExitCode;

/// See below.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<ExitCode> {
    bail!("not linked in yet")
}
