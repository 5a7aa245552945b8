//! `spec check` and `spec evidence`: the description held against the recordings.

use anyhow::{Result, bail};
use clap::Subcommand;
use std::process::ExitCode;

/// Hold the endpoint specs against clauses and recordings.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fail on anything in spec/ that clauses or recordings do not bear out.
    Check,
    /// Compute which recorded exchange exercises which entry, and write spec/evidence.tsv.
    Evidence,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Check => bail!("spec check is not linked in yet"),
        Action::Evidence => bail!("spec evidence is not linked in yet"),
    }
}
