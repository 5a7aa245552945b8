//! Whether the checks see what is wrong: recorded exchanges are mutated in memory, and a check has to turn red.
//!
//! Of every outcome of every endpoint, a few exchanges of each version's own file are mutated in every way that they
//! allow. What no check catches is a survivor: it is listed, not hidden.

mod mutations;

pub use mutations::{MUTATIONS, Mutation};

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
};

use drydock_spec::{Spec, Version, judge::Level};

use crate::{
    cases::{Ledger, Situation},
    evidence::each_file,
    exchange::{Exchange, FileName, Normaliser, Origin, RecordingError, Recordings, frames_of},
    judging::{self, Standing},
    scenarios::{self, Seen},
    verdict::{Finding, How, Verdict},
};

/// How many exchanges of one outcome in one version are mutated.
const OF_EACH_OUTCOME: usize = 2;

/// What became of one mutation.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// How often it was applied.
    pub applied: usize,
    /// How often a check turned red at `exact`.
    pub exact: usize,
    /// How often one did at `documented`.
    pub documented: usize,
    /// The kinds of checks that caught it at `exact`, with how often each did.
    pub caught_by: BTreeMap<String, usize>,
    /// Where nothing caught it: origin and what was done.
    pub survivors: Vec<String>,
}

/// The table of all mutations, in their order.
#[derive(Clone, Debug, Default)]
pub struct Table(pub Vec<(&'static str, Row)>);

impl Table {
    /// Mutations applied, and caught at `exact`.
    pub fn totals(&self) -> (usize, usize) {
        self.0.iter().fold((0, 0), |(applied, caught), (_, row)| (applied + row.applied, caught + row.exact))
    }

    /// The table for a person, with up to `most` survivors of each mutation.
    pub fn show(&self, most: usize) -> String {
        let mut out = format!("{:<34} {:>7} {:>7} {:>11}  caught by\n", "mutation", "applied", "exact", "documented");
        for (name, row) in &self.0 {
            let share = |count: usize| match row.applied {
                0 => "-".to_owned(),
                applied => format!("{:.1} %", count as f64 * 100.0 / applied as f64),
            };
            let mut by: Vec<(&String, &usize)> = row.caught_by.iter().collect();
            by.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let by: Vec<String> = by.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            let _ = writeln!(
                out,
                "{name:<34} {:>7} {:>7} {:>11}  {}",
                row.applied,
                share(row.exact),
                share(row.documented),
                by.join(", ")
            );
        }
        let (applied, caught) = self.totals();
        let _ = writeln!(
            out,
            "{} kinds, {applied} mutations, {caught} caught at exact ({:.2} %)",
            self.0.len(),
            caught as f64 * 100.0 / applied.max(1) as f64
        );
        for (name, row) in self.0.iter().filter(|(_, row)| !row.survivors.is_empty()) {
            let _ = writeln!(out, "survivors of {name}: {}", row.survivors.len());
            for survivor in row.survivors.iter().take(most) {
                let _ = writeln!(out, "    {survivor}");
            }
        }
        out
    }
}

/// Mutates and judges.
pub fn sensitivity(spec: &Spec, recordings: &Recordings) -> Result<Table, RecordingError> {
    let parts = each_file(|file| if file.is_own() { of_file(spec, recordings, file) } else { Ok(Vec::new()) })?;
    let mut table = Table(MUTATIONS.iter().map(|mutation| (mutation.name, Row::default())).collect());
    for part in parts {
        for ((_, sum), row) in table.0.iter_mut().zip(part) {
            sum.applied += row.applied;
            sum.exact += row.exact;
            sum.documented += row.documented;
            for (kind, count) in row.caught_by {
                *sum.caught_by.entry(kind).or_default() += count;
            }
            sum.survivors.extend(row.survivors);
        }
    }
    Ok(table)
}

fn of_file(spec: &Spec, recordings: &Recordings, file: FileName) -> Result<Vec<Row>, RecordingError> {
    let exchanges: Vec<Exchange> =
        recordings.read(file)?.into_iter().filter_map(|record| record.into_exchange()).collect();
    let mut by_scenario: HashMap<&str, HashMap<String, &Exchange>> = HashMap::new();
    for exchange in &exchanges {
        let Origin::Recorded { scenario, step, .. } = &exchange.origin else { continue };
        by_scenario.entry(scenario).or_default().entry(step.clone()).or_insert(exchange);
    }
    let mut rows = vec![Row::default(); MUTATIONS.len()];
    for (outcome, exchange) in chosen(spec, file.daemon, &exchanges) {
        for (mutation, row) in MUTATIONS.iter().zip(&mut rows) {
            let Some((mutant, what)) = (mutation.apply)(exchange) else { continue };
            let judge = Judge { spec, version: file.daemon, outcome: &outcome, original: exchange, mutant: &mutant };
            row.applied += 1;
            row.documented += usize::from(!judge.red(Level::Documented, &by_scenario).is_empty());
            let red = judge.red(Level::Exact, &by_scenario);
            if red.is_empty() {
                row.survivors.push(format!("{} {what}", exchange.origin));
            } else {
                row.exact += 1;
            }
            for kind in red {
                *row.caught_by.entry(kind).or_default() += 1;
            }
        }
    }
    Ok(rows)
}

/// A few exchanges of each outcome of each endpoint, by what they hold: the fullest and the first.
fn chosen<'e>(spec: &Spec, version: Version, exchanges: &'e [Exchange]) -> Vec<(String, &'e Exchange)> {
    let mut by_outcome: BTreeMap<(String, String), Vec<&Exchange>> = BTreeMap::new();
    for exchange in exchanges {
        let judged = judging::judge(spec, version, exchange, Level::Exact);
        if let Standing::Is(candidate) = &judged.ruling {
            let home = judged.endpoint.map_or("front", |endpoint| endpoint.id.as_str()).to_owned();
            by_outcome.entry((home, candidate.outcome.id.clone())).or_default().push(exchange);
        }
    }
    let mut chosen = Vec::new();
    for ((_, outcome), mut of_outcome) in by_outcome {
        of_outcome.sort_by_key(|exchange| std::cmp::Reverse(weight(exchange)));
        // What the streams of containers hold differs more than what objects do.
        chosen.extend(of_outcome.into_iter().take(OF_EACH_OUTCOME).map(|exchange| (outcome.clone(), exchange)));
    }
    chosen
}

fn weight(exchange: &Exchange) -> usize {
    match &exchange.answer {
        Ok(response) => response.bytes().map_or(0, |bytes| bytes.len().min(20_000)) + frames_of(response) * 1000,
        Err(_) => 0,
    }
}

/// One mutated exchange and what it was.
struct Judge<'a> {
    spec: &'a Spec,
    version: Version,
    outcome: &'a str,
    original: &'a Exchange,
    mutant: &'a Exchange,
}

impl Judge<'_> {
    /// The kinds of checks that turn red.
    fn red(&self, level: Level, by_scenario: &HashMap<&str, HashMap<String, &Exchange>>) -> BTreeSet<String> {
        let mut ledger = Ledger::new(self.spec, self.version, level, How::Replay);
        ledger.observe(Situation { label: "mutant", expected: Some(self.outcome), exchange: self.mutant });
        let kind = |finding: &Finding| finding.check.split(' ').next().unwrap_or_default().to_owned();
        let mut red: BTreeSet<String> =
            ledger.into_findings().iter().filter(|finding| finding.verdict == Verdict::Fail).map(kind).collect();
        red.extend(self.scenarios(by_scenario));
        if level == Level::Exact && self.differs_from_recording() {
            red.insert("recorded".to_owned());
        }
        red
    }

    /// What the recorded scenarios' comparison would see.
    fn differs_from_recording(&self) -> bool {
        let normaliser = Normaliser::new();
        normaliser.answer(self.original) != normaliser.answer(self.mutant)
    }

    /// The hand-written scenarios that read this step.
    fn scenarios(&self, by_scenario: &HashMap<&str, HashMap<String, &Exchange>>) -> Option<String> {
        let Origin::Recorded { scenario, step, .. } = &self.original.origin else { return None };
        let mut steps = by_scenario.get(scenario.as_str())?.clone();
        if !std::ptr::eq(*steps.get(step)?, self.original) {
            return None;
        }
        steps.insert(step.clone(), self.mutant);
        let seen = Seen::new(self.version, scenario, steps);
        let red = scenarios::decided_by(&seen, How::Replay).iter().any(|finding| finding.verdict == Verdict::Fail);
        red.then(|| "scenario".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn almost_no_mutation_survives() {
        let table = sensitivity(Spec::embedded(), &Recordings::of_the_project()).unwrap();
        let (applied, caught) = table.totals();
        assert!(table.0.len() >= 20);
        assert!(applied > 1000, "{}", table.show(3));
        assert!(caught * 100 >= applied * 95, "{}", table.show(3));
    }
}
