//! What a run found: a verdict per check, and per clause and version.

mod clauses;
mod deviations;
mod report_data;

pub use clauses::clause_verdicts;
pub(crate) use deviations::matches;
pub use deviations::{Deviation, Deviations, DeviationsError};
pub use report_data::{
    Change, ClauseVerdict, EndpointRow, Evidence, Finding, How, Report, ShownExchange, Target, Totals, changes,
};

use std::fmt;

use serde::{Deserialize, Serialize};

/// A judgement. The order is the order of concern: of a clause's checks the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No one can test it; the reason is listed.
    Untestable,
    /// Nothing binds it yet; the topic that will is listed.
    Pending,
    /// It was not tried: disruptive and not allowed, or not replayable from recordings.
    Skipped,
    /// It holds.
    Pass,
    /// It needs something that this machine or daemon lacks.
    Blocked,
    /// It does not hold, as the deviations file says.
    Deviation,
    /// It holds, and the deviations file says that it does not.
    UnexpectedPass,
    /// The harness or the set-up failed: nothing is said of the daemon.
    Error,
    /// It does not hold.
    Fail,
}

impl Verdict {
    /// Every verdict, the gravest first: the order of reports.
    pub const ALL: [Verdict; 9] = [
        Verdict::Fail,
        Verdict::Error,
        Verdict::UnexpectedPass,
        Verdict::Deviation,
        Verdict::Blocked,
        Verdict::Pass,
        Verdict::Skipped,
        Verdict::Pending,
        Verdict::Untestable,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Untestable => "untestable",
            Verdict::Pending => "pending",
            Verdict::Skipped => "skipped",
            Verdict::Pass => "pass",
            Verdict::Blocked => "blocked",
            Verdict::Deviation => "deviation",
            Verdict::UnexpectedPass => "unexpected pass",
            Verdict::Error => "error",
            Verdict::Fail => "fail",
        }
    }

    /// Whether a run that has it must not exit with success.
    pub fn is_bad(self) -> bool {
        matches!(self, Verdict::Fail | Verdict::Error | Verdict::UnexpectedPass)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
