//! From checks to clauses: of all that decide a clause in a version the gravest counts.

use std::collections::BTreeMap;

use drydock_spec::{Spec, Version, clauses};

use super::{ClauseVerdict, Finding, Verdict};

/// A verdict per clause and version that the documents state it for. Clauses that no finding decides are pending or
/// untestable as the spec's lists say; one that a check is bound to and none decided is not among them: the run was
/// narrowed to other checks.
pub fn clause_verdicts(spec: &Spec, versions: &[Version], findings: &[Finding]) -> Vec<ClauseVerdict> {
    let mut decided: BTreeMap<(&str, Version), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        for clause in &finding.clauses {
            decided.entry((clause, finding.version)).or_default().push(finding);
        }
    }
    let (pending, untestable) = (clauses::pending(), clauses::untestable());
    let mut verdicts = Vec::new();
    for clause in clauses::embedded().iter().filter(|clause| clause.needs_test()) {
        let id = clause.id.as_str();
        let ruling = spec.rulings().iter().find(|ruling| ruling.clauses.iter().any(|ruled| ruled == id));
        for version in clause.versions.iter().copied().filter(|version| versions.contains(version)) {
            let checks = decided.get(&(id, version)).map(Vec::as_slice).unwrap_or_default();
            let (verdict, reason) = match checks.iter().map(|finding| finding.verdict).max() {
                Some(verdict) => (verdict, None),
                None => match (untestable.get(id), pending.get(id)) {
                    (Some(reason), _) => (Verdict::Untestable, Some((*reason).to_owned())),
                    (_, Some(topic)) => (Verdict::Pending, Some((*topic).to_owned())),
                    _ => continue,
                },
            };
            let mut names: Vec<String> = checks.iter().map(|finding| finding.check.clone()).collect();
            names.dedup();
            verdicts.push(ClauseVerdict {
                clause: id.to_owned(),
                text: clause.text.clone(),
                endpoint: clause.endpoint.clone(),
                version,
                verdict,
                checks: names,
                ruling: ruling.filter(|ruling| ruling.versions.contains(version)).map(|ruling| ruling.id.clone()),
                reason,
            });
        }
    }
    verdicts
}
