//! Which recorded exchange exercises which entry of the spec, and which exchanges the spec does not explain.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use drydock_spec::{Spec, entries::Entry, judge::Level};

use crate::{
    exchange::{Exchange, FileName, NoAnswer, Origin, RecordingError, Recordings},
    judging::{self, Standing},
    verdict::matches,
};

/// What the recordings say of the spec.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// For each entry and file that exercises it, the first exchange's `seq`. Other files than a daemon's own stand
    /// here only for entries that no own file exercises.
    pub rows: BTreeMap<Entry, BTreeMap<FileName, u32>>,
    /// The exchanges that are not exactly one outcome, and that no ruling lists.
    pub problems: Vec<Unexplained>,
    /// How the exchanges came out.
    pub tally: Tally,
    /// The rulings' globs that no exchange needs: neither does one match that the spec does not explain anyway.
    pub needless: Vec<String>,
}

/// How many exchanges came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Exactly one outcome.
    pub explained: usize,
    /// Listed by a ruling.
    pub ruled: usize,
    /// Not judged: the answer was not kept whole, or the request was not sent.
    pub unjudged: usize,
    /// None or several outcomes.
    pub unexplained: usize,
}

/// An exchange that the spec does not explain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unexplained {
    /// The request's endpoint, `front` where it has none.
    pub endpoint: String,
    /// The file.
    pub file: FileName,
    /// The line's number.
    pub seq: u32,
    /// `SCENARIO/STEP`.
    pub step: String,
    /// Method and target.
    pub request: String,
    /// What is wrong.
    pub why: String,
}

impl Evidence {
    /// The entries that are exercised.
    pub fn entries(&self) -> BTreeSet<Entry> {
        self.rows.keys().cloned().collect()
    }

    /// The table for `evidence.tsv`.
    pub fn table(&self) -> String {
        let mut table = String::from("entry\tfile\tseq\n");
        for (entry, files) in &self.rows {
            for (file, seq) in files {
                let _ = writeln!(table, "{entry}\t{file}\t{seq}");
            }
        }
        table
    }

    /// The problems by endpoint, those of one kind together, for a person to read.
    pub fn explain(&self, most: usize) -> String {
        let mut by_endpoint: BTreeMap<&str, BTreeMap<String, Vec<&Unexplained>>> = BTreeMap::new();
        for problem in &self.problems {
            let kinds = by_endpoint.entry(&problem.endpoint).or_default();
            kinds.entry(generalised(&problem.why)).or_default().push(problem);
        }
        let mut out = String::new();
        for (endpoint, kinds) in by_endpoint {
            let count: usize = kinds.values().map(Vec::len).sum();
            let _ = writeln!(out, "{endpoint}: {count}");
            let mut kinds: Vec<_> = kinds.into_iter().collect();
            kinds.sort_by_key(|(_, problems)| std::cmp::Reverse(problems.len()));
            for (_, problems) in kinds.iter().take(most) {
                let first = problems[0];
                let daemons: BTreeSet<&str> = problems.iter().map(|problem| problem.file.daemon.daemon()).collect();
                let daemons = daemons.into_iter().collect::<Vec<_>>().join(" ");
                let _ = writeln!(
                    out,
                    "  {} × [{daemons}], first {}#{} {}\n      {}\n      {}",
                    problems.len(),
                    first.file,
                    first.seq,
                    first.step,
                    first.request,
                    first.why
                );
            }
            if kinds.len() > most {
                let _ = writeln!(out, "  … and {} other kinds", kinds.len() - most);
            }
        }
        out
    }
}

/// A problem without what differs from exchange to exchange.
fn generalised(why: &str) -> String {
    crate::exchange::Normaliser::new().text(why)
}

/// Runs every recorded exchange through the spec of its daemon's version.
pub fn evidence(spec: &Spec, recordings: &Recordings) -> Result<Evidence, RecordingError> {
    let globs: Vec<&str> = spec.rulings().iter().flat_map(|ruling| &ruling.exchanges).map(String::as_str).collect();
    let mut whole = Evidence::default();
    let mut used = BTreeSet::new();
    for part in each_file(|file| Part::of(spec, recordings, file, &globs))? {
        whole.add(part.evidence);
        used.extend(part.used);
    }
    // A daemon's own file is the better witness.
    for files in whole.rows.values_mut().filter(|files| files.keys().any(|file| file.is_own())) {
        files.retain(|file, _| file.is_own());
    }
    whole.problems.sort();
    whole.needless = globs.iter().filter(|glob| !used.contains(*glob)).map(|glob| (*glob).to_owned()).collect();
    Ok(whole)
}

/// Does something for each of the 27 files, as many at once as the machine has processors.
pub(crate) fn each_file<T: Send>(
    work: impl Fn(FileName) -> Result<T, RecordingError> + Sync,
) -> Result<Vec<T>, RecordingError> {
    let files: Vec<FileName> = FileName::all().collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<T, RecordingError>)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, file)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    files.get(index).map(|file| (index, *file))
                } {
                    let result = work(file);
                    done.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

impl Evidence {
    fn add(&mut self, part: Evidence) {
        for (entry, files) in part.rows {
            self.rows.entry(entry).or_default().extend(files);
        }
        self.problems.extend(part.problems);
        self.tally.explained += part.tally.explained;
        self.tally.ruled += part.tally.ruled;
        self.tally.unjudged += part.tally.unjudged;
        self.tally.unexplained += part.tally.unexplained;
    }
}

/// One file's share.
struct Part<'g> {
    evidence: Evidence,
    used: BTreeSet<&'g str>,
}

impl<'g> Part<'g> {
    fn of(spec: &Spec, recordings: &Recordings, file: FileName, globs: &[&'g str]) -> Result<Self, RecordingError> {
        let mut part = Self { evidence: Evidence::default(), used: BTreeSet::new() };
        for exchange in recordings.read(file)?.into_iter().filter_map(crate::exchange::Record::into_exchange) {
            part.exchange(spec, file, &exchange, globs);
        }
        Ok(part)
    }

    fn exchange(&mut self, spec: &Spec, file: FileName, exchange: &Exchange, globs: &[&'g str]) {
        let Origin::Recorded { seq, scenario, step, .. } = &exchange.origin else { return };
        let judged = judging::judge(spec, file.daemon, exchange, Level::Exact);
        let tally = &mut self.evidence.tally;
        match &judged.ruling {
            Standing::Is(_) => {
                tally.explained += 1;
                for entry in judging::exercised(spec, file.daemon, exchange, &judged) {
                    self.evidence.rows.entry(entry).or_default().entry(file).or_insert(*seq);
                }
            }
            Standing::NotKept | Standing::Unanswered(NoAnswer::NotAsked(_)) => tally.unjudged += 1,
            Standing::None(_) | Standing::Several(_) | Standing::Unanswered(_) => {
                let name = format!("{file} {scenario}/{step}");
                match globs.iter().find(|glob| matches(glob, &name)) {
                    Some(glob) => {
                        tally.ruled += 1;
                        self.used.insert(glob);
                    }
                    None => {
                        tally.unexplained += 1;
                        self.evidence.problems.push(Unexplained {
                            endpoint: judged.endpoint.map_or("front", |endpoint| endpoint.id.as_str()).to_owned(),
                            file,
                            seq: *seq,
                            step: format!("{scenario}/{step}"),
                            request: format!("{} {}", exchange.request.method, cut(&exchange.request.target, 160)),
                            why: cut(&judging::explain(&judged, exchange), 400).into_owned(),
                        });
                    }
                }
            }
        }
    }
}

fn cut(text: &str, most: usize) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{} …", &text[..at]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exchange_is_counted_once() {
        let evidence = evidence(Spec::embedded(), &Recordings::of_the_project()).unwrap();
        let Tally { explained, ruled, unjudged, unexplained } = evidence.tally;
        assert_eq!(explained + ruled + unjudged + unexplained, 98186);
        assert_eq!(evidence.problems.len(), unexplained);
    }
}
