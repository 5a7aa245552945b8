//! `spec check` and `spec evidence`: the description held against the recordings.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Subcommand;
use drydock_conformance::{
    evidence::{Evidence, evidence},
    exchange::Recordings,
    scenarios,
};
use drydock_spec::{
    Spec,
    check::{Against, check},
    clauses,
};

use crate::cargo;

/// Hold the endpoint specs against clauses and recordings.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// A folder with the spec's files, in place of spec/.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    /// Of each endpoint, how many kinds of unexplained exchanges to show.
    #[arg(long, global = true, default_value_t = 8)]
    kinds: usize,
    /// Only what concerns endpoints whose id begins so.
    #[arg(long, global = true)]
    only: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Fail on anything in spec/ that clauses or recordings do not bear out.
    Check,
    /// Compute which recorded exchange exercises which entry, and write spec/evidence.tsv.
    Evidence,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let folder = args.folder.clone().unwrap_or_else(|| cargo::root().join("spec"));
    // Read anew: what is being edited counts, not what this program was built with.
    let spec = match Spec::from_dir(&folder) {
        Ok(spec) => spec,
        Err(error) => {
            eprintln!("{error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let evidence = evidence(&spec, &Recordings::of_the_project())?;
    let told = tell(&evidence, &args);
    let right = match args.action {
        Action::Evidence => {
            let path = folder.join("evidence.tsv");
            fs::write(&path, evidence.table()).with_context(|| format!("writing {}", path.display()))?;
            true
        }
        Action::Check => problems(&spec, &folder, &evidence, &args)?,
    };
    Ok(if right && told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what the recordings say; false where the spec does not explain one of them.
fn tell(evidence: &Evidence, args: &Args) -> bool {
    let mut shown = evidence.clone();
    if let Some(prefix) = &args.only {
        shown.problems.retain(|problem| problem.endpoint.starts_with(prefix.as_str()));
    }
    print!("{}", shown.explain(args.kinds));
    for glob in &evidence.needless {
        println!("rulings.json lists {glob:?}, which no unexplained exchange needs");
    }
    let tally = evidence.tally;
    println!(
        "{} exchanges explained, {} ruled, {} not judged, {} unexplained; {} entries exercised",
        tally.explained,
        tally.ruled,
        tally.unjudged,
        tally.unexplained,
        evidence.rows.len()
    );
    shown.problems.is_empty() && evidence.needless.is_empty()
}

/// Prints what is wrong with the spec; false where anything is.
fn problems(spec: &Spec, folder: &std::path::Path, evidence: &Evidence, args: &Args) -> Result<bool> {
    let against = Against {
        clauses: clauses::embedded(),
        scenarios: &scenarios::clauses(),
        pending: &clauses::pending(),
        untestable: &clauses::untestable(),
        evidence: &evidence.entries(),
    };
    let mut problems: Vec<String> = check(spec, against).iter().map(ToString::to_string).collect();
    if let Some(prefix) = &args.only {
        problems.retain(|problem| problem.contains(prefix.as_str()));
    }
    let path = folder.join("evidence.tsv");
    if fs::read_to_string(&path).unwrap_or_default() != evidence.table() {
        problems.push("evidence.tsv: out of date; run `cargo xtask spec evidence`".to_owned());
    }
    for problem in &problems {
        println!("{problem}");
    }
    println!("{} problems", problems.len());
    Ok(problems.is_empty())
}
