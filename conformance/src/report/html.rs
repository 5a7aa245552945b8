//! One page that opens from disk, without a network: a matrix of endpoint × version, and behind each cell its checks,
//! clauses, exchanges and the command that repeats one.
//!
//! The page carries the run as compact data and draws what is asked for: a run has tens of thousands of results.

use std::collections::BTreeMap;

use maud::{DOCTYPE, PreEscaped, html as markup};
use serde::Serialize;

use crate::verdict::{ClauseVerdict, Evidence, How, Report, Verdict};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The run as the page's script reads it. Verdicts are indices into `verdicts`, −1 for none.
#[derive(Serialize)]
struct Page<'r> {
    versions: Vec<String>,
    verdicts: Vec<&'static str>,
    endpoints: Vec<Row<'r>>,
    checks: Vec<Check<'r>>,
    clauses: Vec<Clause<'r>>,
}

#[derive(Serialize)]
struct Row<'r> {
    id: &'r str,
    method: &'r str,
    path: &'r str,
    versions: Vec<usize>,
}

/// A check in all its versions.
#[derive(Serialize)]
struct Check<'r> {
    name: &'r str,
    endpoint: Option<&'r str>,
    clauses: &'r [String],
    entries: &'r [String],
    verdicts: Vec<i32>,
    /// By version: what is to be said of it beyond the verdict.
    details: BTreeMap<usize, Vec<Detail<'r>>>,
}

#[derive(Serialize)]
struct Detail<'r> {
    verdict: usize,
    reason: &'r str,
    how: How,
    took_ms: u64,
    evidence: Option<&'r Evidence>,
}

/// A clause in all its versions.
#[derive(Serialize)]
struct Clause<'r> {
    id: &'r str,
    text: &'r str,
    endpoint: &'r str,
    verdicts: Vec<i32>,
    ruling: Option<&'r str>,
    reason: Option<&'r str>,
}

/// The page.
pub fn html(report: &Report) -> serde_json::Result<String> {
    // A script element ends at `</`, wherever it stands.
    let data = serde_json::to_string(&page(report))?.replace("</", "<\\/");
    let subject = report.target.daemon.as_deref().unwrap_or(&report.target.name);
    let totals = report.totals();
    let seconds = format!("{:.1} s", report.took_ms as f64 / 1000.0);
    let state = if report.is_good() { "good" } else { "bad" };
    Ok(markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Drydock: " (subject) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    div.title {
                        h1 { (subject) }
                        p {
                            "Docker Remote API " (span(report)) ", judged as " b { (report.level) }
                            @if report.target.replay { ", from recordings" }
                        }
                        p.quiet { (report.target.name) " · " (report.began) " · " (seconds) " · run " (report.run) }
                    }
                    div.totals.(state) {
                        @for verdict in Verdict::ALL.into_iter().filter(|verdict| totals.contains_key(verdict)) {
                            button.chip.(class(verdict)) type="button" data-verdict=(verdict.name()) aria-pressed="false" {
                                b { (totals.get(&verdict).copied().unwrap_or_default()) } " " (verdict.name())
                            }
                        }
                    }
                }
                @if !report.remarks.is_empty() {
                    details.remarks {
                        summary { (report.remarks.len()) " remarks of the run" }
                        ul { @for remark in &report.remarks { li { (remark) } } }
                    }
                }
                nav {
                    button #by-endpoint type="button" aria-pressed="true" { "Endpoints" }
                    button #by-clause type="button" aria-pressed="false" { "Clauses" }
                    input #search type="search" placeholder="endpoint, check, clause, text…" aria-label="Search";
                    span #shown.quiet {}
                }
                main {
                    section #matrix {}
                    section #detail hidden {}
                }
                script #data type="application/json" { (PreEscaped(data)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string())
}

fn span(report: &Report) -> String {
    match report.versions.as_slice() {
        [] => String::new(),
        [only] => format!("v{only}"),
        [first, .., last] => format!("v{first}–v{last}"),
    }
}

fn class(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

fn index(verdict: Verdict) -> usize {
    Verdict::ALL.iter().position(|known| *known == verdict).unwrap_or_default()
}

fn page(report: &Report) -> Page<'_> {
    let column = |version| report.versions.iter().position(|known| *known == version);
    let rows = report.endpoints.iter().map(|row| Row {
        id: &row.id,
        method: &row.method,
        path: &row.path,
        versions: row.versions.iter().filter_map(|version| column(*version)).collect(),
    });
    Page {
        versions: report.versions.iter().map(ToString::to_string).collect(),
        verdicts: Verdict::ALL.iter().map(|verdict| verdict.name()).collect(),
        endpoints: rows.collect(),
        checks: checks(report),
        clauses: clauses(report),
    }
}

fn checks(report: &Report) -> Vec<Check<'_>> {
    let mut checks: Vec<Check<'_>> = Vec::new();
    // Findings come ordered by endpoint and check, so a check's versions lie side by side.
    for finding in &report.findings {
        let Some(column) = report.versions.iter().position(|version| *version == finding.version) else { continue };
        let same = checks
            .last()
            .is_some_and(|last| last.name == finding.check && last.endpoint == finding.endpoint.as_deref());
        if !same {
            checks.push(Check {
                name: &finding.check,
                endpoint: finding.endpoint.as_deref(),
                clauses: &finding.clauses,
                entries: &finding.entries,
                verdicts: vec![-1; report.versions.len()],
                details: BTreeMap::new(),
            });
        }
        let Some(check) = checks.last_mut() else { continue };
        if finding.clauses.len() > check.clauses.len() {
            check.clauses = &finding.clauses;
        }
        let verdict = index(finding.verdict);
        // The gravest has the smallest index.
        let known = &mut check.verdicts[column];
        *known = if *known < 0 { verdict as i32 } else { (*known).min(verdict as i32) };
        if finding.verdict != Verdict::Pass || finding.evidence.is_some() {
            check.details.entry(column).or_default().push(Detail {
                verdict,
                reason: &finding.reason,
                how: finding.how,
                took_ms: finding.took_ms,
                evidence: finding.evidence.as_ref(),
            });
        }
    }
    checks
}

fn clauses(report: &Report) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = Vec::new();
    for verdict in &report.clauses {
        let Some(column) = report.versions.iter().position(|version| *version == verdict.version) else { continue };
        if clauses.last().is_none_or(|last| last.id != verdict.clause) {
            clauses.push(clause(verdict, report.versions.len()));
        }
        let Some(last) = clauses.last_mut() else { continue };
        last.verdicts[column] = index(verdict.verdict) as i32;
        last.ruling = last.ruling.or(verdict.ruling.as_deref());
        last.reason = last.reason.or(verdict.reason.as_deref());
    }
    clauses
}

fn clause(verdict: &ClauseVerdict, versions: usize) -> Clause<'_> {
    Clause {
        id: &verdict.clause,
        text: &verdict.text,
        endpoint: &verdict.endpoint,
        verdicts: vec![-1; versions],
        ruling: None,
        reason: None,
    }
}
