//! A run of the suite: which target, which versions, which checks, and the report that comes of it.

mod daemon;
mod interrupt;
mod lane;
mod list;
mod live;
mod manners;
mod observe;
mod options;
mod replay;

pub(crate) use daemon::await_answer;
pub use daemon::{OwnDaemon, StartError};
pub use interrupt::Interrupt;
pub use list::{is_named, names};
pub use options::{Allow, Daemon, Options, Require, Target, UnknownTarget};

use std::time::{Instant, SystemTime};

use drydock_spec::{Spec, judge::Level};

use crate::{
    exchange::{RecordingError, Recordings},
    verdict::{self, Deviations, EndpointRow, Finding, Report, Verdict, clause_verdicts},
};

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The recordings cannot be read.
    #[error(transparent)]
    Recordings(#[from] RecordingError),
    /// The daemon of our own did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The target does not answer.
    #[error("{target} does not answer: {why}")]
    Unreachable {
        /// Its address.
        target: String,
        /// What became of the first request.
        why: String,
    },
    /// The options leave nothing to check.
    #[error("no check is selected")]
    NothingSelected,
}

/// What happens while a run is under way.
#[derive(Clone, Copy, Debug)]
pub enum Event<'e> {
    /// So many scripts and files are to be run.
    Planned(usize),
    /// One is done.
    Done(&'e str),
    /// Something worth a line.
    Note(&'e str),
}

/// Told what happens; called from several threads.
pub type Progress<'p> = &'p (dyn Fn(Event<'_>) + Sync);

/// Runs the suite.
pub fn run(options: &Options, spec: &Spec, interrupt: &Interrupt, progress: Progress<'_>) -> Result<Report, RunError> {
    let (clock, began) = (Instant::now(), SystemTime::now());
    let mut outcome = once(options, spec, interrupt, progress)?;
    for _ in 1..options.repeat {
        if interrupt.is_set() {
            break;
        }
        let again = once(options, spec, interrupt, progress)?;
        outcome.remarks.extend(again.remarks);
        merge(&mut outcome.findings, again.findings);
    }
    let mut findings: Vec<Finding> = outcome.findings.into_iter().filter(|finding| options.selects(finding)).collect();
    if findings.is_empty() && !interrupt.is_set() {
        return Err(RunError::NothingSelected);
    }
    if let Some(deviations) = &options.deviations {
        judge_deviations(deviations, &mut findings, &mut outcome.remarks, options);
    }
    for finding in &mut findings {
        if let Some(evidence) = &mut finding.evidence {
            evidence.repeat = options.repeat_command(&finding.check, finding.version);
        }
    }
    findings.sort_by(|a, b| (&a.endpoint, &a.check, a.version).cmp(&(&b.endpoint, &b.check, b.version)));
    Ok(Report {
        target: outcome.target,
        level: if options.level == Level::Exact { "exact" } else { "documented" }.to_owned(),
        run: options.run.clone(),
        began: jiff::Timestamp::try_from(began).map(|began| format!("{began:.0}")).unwrap_or_default(),
        took_ms: u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        versions: options.versions.clone(),
        clauses: clause_verdicts(spec, &options.versions, &findings),
        endpoints: spec.endpoints().iter().map(row).collect(),
        findings,
        remarks: outcome.remarks,
    })
}

/// What one pass over the target gave.
struct Outcome {
    target: verdict::Target,
    findings: Vec<Finding>,
    remarks: Vec<String>,
}

fn once(options: &Options, spec: &Spec, interrupt: &Interrupt, progress: Progress<'_>) -> Result<Outcome, RunError> {
    let recordings = Recordings::of_the_project();
    match &options.target {
        Target::Recordings(daemon) => replay::run(options, spec, &recordings, *daemon, progress),
        Target::Daemon(_) | Target::Own(_) => live::run(options, spec, &recordings, interrupt, progress),
    }
}

/// A check that is judged otherwise the second time is a failure of its own kind.
fn merge(findings: &mut Vec<Finding>, again: Vec<Finding>) {
    for next in again {
        match findings.iter_mut().find(|known| known.check == next.check && known.version == next.version) {
            Some(known) if known.verdict != next.verdict => {
                let (was, is) = (known.verdict, next.verdict);
                if next.verdict > known.verdict {
                    *known = next;
                }
                known.reason = format!("{} (not the same each time: {was} and {is})", known.reason);
            }
            Some(_) => {}
            None => findings.push(next),
        }
    }
}

/// Applies the deviations file. A line that explains nothing is itself something to mend, if all checks ran.
fn judge_deviations(
    deviations: &Deviations,
    findings: &mut Vec<Finding>,
    remarks: &mut Vec<String>,
    options: &Options,
) {
    let unused: Vec<String> = deviations.apply(findings).iter().map(|line| line.to_string()).collect();
    if options.is_narrowed() {
        return;
    }
    for line in unused {
        remarks.push(format!("the deviations file has a line that explains nothing: {line}"));
        let version = options.versions.last().copied().unwrap_or(drydock_spec::Version::NEWEST);
        findings.push(Finding {
            reason: "it explains nothing any more".to_owned(),
            ..Finding::new(format!("deviation {line}"), version, Verdict::UnexpectedPass)
        });
    }
}

fn row(endpoint: &drydock_spec::model::Endpoint) -> EndpointRow {
    EndpointRow {
        id: endpoint.id.clone(),
        method: endpoint.method.clone(),
        path: endpoint.path.clone(),
        versions: endpoint.versions.versions().collect(),
    }
}
