//! The summary that a person reads first: what is wrong, how much of everything, where.

use std::{collections::BTreeMap, fmt::Write};

use drydock_spec::Version;

use crate::verdict::{Finding, Report, Totals, Verdict};

/// So many failing checks are shown one by one; the HTML report has them all.
const SHOWN: usize = 40;

/// A run in a screenful. With `colour`, by ANSI escapes.
pub fn summary(report: &Report, colour: bool) -> String {
    let paint = Paint(colour);
    let mut out = String::new();
    // Writing into a string does not fail.
    let _ = write_bad(&mut out, report, paint);
    let _ = write_matrix(&mut out, report, paint);
    let _ = write_totals(&mut out, report, paint);
    out
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Fail => "31;1",
            Verdict::Error | Verdict::UnexpectedPass => "35;1",
            Verdict::Deviation | Verdict::Blocked => "33",
            Verdict::Pass => "32",
            Verdict::Skipped | Verdict::Pending | Verdict::Untestable => "2",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn strong(self, text: &str) -> String {
        if self.0 { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Bad findings by check: the versions that agree stand together.
fn write_bad(out: &mut String, report: &Report, paint: Paint) -> std::fmt::Result {
    let mut checks: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.findings.iter().filter(|finding| finding.verdict.is_bad()) {
        checks.entry(&finding.check).or_default().push(finding);
    }
    for (check, findings) in checks.iter().take(SHOWN) {
        writeln!(out, "{}", paint.strong(check))?;
        let mut reasons: BTreeMap<(Verdict, &str), Vec<Version>> = BTreeMap::new();
        for finding in findings {
            reasons.entry((finding.verdict, &finding.reason)).or_default().push(finding.version);
        }
        for ((verdict, reason), mut versions) in reasons {
            versions.dedup();
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            writeln!(out, "  {} {}  {reason}", paint.verdict(verdict, verdict.name()), versions.join(" "))?;
        }
        if let Some(evidence) = findings.iter().find_map(|finding| finding.evidence.as_ref()) {
            writeln!(out, "  repeat: {}", evidence.repeat)?;
        }
    }
    if checks.len() > SHOWN {
        writeln!(out, "… and {} more checks; --report DIR shows all", checks.len() - SHOWN)?;
    }
    Ok(())
}

/// Pass and bad counts per group of endpoints and version.
fn write_matrix(out: &mut String, report: &Report, paint: Paint) -> std::fmt::Result {
    let group = |finding: &Finding| {
        let endpoint = finding.endpoint.as_deref().unwrap_or("elsewhere");
        endpoint.split('.').next().unwrap_or(endpoint).to_owned()
    };
    let mut cells: BTreeMap<String, BTreeMap<Version, (usize, usize, Verdict)>> = BTreeMap::new();
    for finding in &report.findings {
        let row = cells.entry(group(finding)).or_default();
        let cell = row.entry(finding.version).or_insert((0, 0, Verdict::Untestable));
        cell.0 += usize::from(finding.verdict == Verdict::Pass);
        cell.1 += usize::from(finding.verdict.is_bad());
        cell.2 = cell.2.max(finding.verdict);
    }
    write!(out, "\n{:12}", "")?;
    report.versions.iter().try_for_each(|version| write!(out, "{:>12}", version.to_string()))?;
    writeln!(out)?;
    for (group, row) in &cells {
        write!(out, "{group:12}")?;
        for version in &report.versions {
            match row.get(version) {
                None => write!(out, "{:>12}", "–")?,
                Some((passed, 0, worst)) => write!(out, "{}", paint.verdict(*worst, &format!("{passed:>12}")))?,
                Some((passed, bad, worst)) => {
                    let text = format!("{bad} ✗ {passed}");
                    write!(out, "{}", paint.verdict(*worst, &format!("{text:>12}")))?;
                }
            }
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_totals(out: &mut String, report: &Report, paint: Paint) -> std::fmt::Result {
    let line = |totals: &Totals| {
        let parts = totals.iter().rev().map(|(verdict, count)| paint.verdict(*verdict, &format!("{count} {verdict}")));
        parts.collect::<Vec<_>>().join(", ")
    };
    for remark in &report.remarks {
        writeln!(out, "{remark}")?;
    }
    writeln!(out, "checks:  {}", line(&report.totals()))?;
    writeln!(out, "clauses: {}", line(&report.clause_totals()))?;
    let daemon = report.target.daemon.as_ref().map(|daemon| format!(" ({daemon})")).unwrap_or_default();
    let seconds = report.took_ms as f64 / 1000.0;
    writeln!(out, "{}{daemon} at {} in {seconds:.1} s", paint.strong(&report.target.name), report.level)
}
