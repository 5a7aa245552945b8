//! Samples and the table that they end in.

use std::{fmt::Write as _, time::Duration};

/// Figures of one workload on one target, one a round. Smaller is better for times, larger for rates.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    figures: Vec<f64>,
    /// Seconds of processor time of the daemon and its helpers, one a round.
    cpu: Vec<f64>,
    /// The first failure, if any: its figures are then those of the rounds that worked.
    pub(super) failure: Option<String>,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Milliseconds.
    Millis,
    /// Megabytes a second.
    Rate,
    /// Things a second.
    PerSecond,
    /// Megabytes.
    Megabytes,
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Unit::Millis => format!("{figure:.2} ms"),
            Unit::Rate => format!("{figure:.0} MB/s"),
            Unit::PerSecond => format!("{figure:.0} /s"),
            Unit::Megabytes => format!("{figure:.1} MB"),
        }
    }
}

impl Samples {
    pub(super) fn push(&mut self, figure: f64, cpu: Option<Duration>) {
        self.figures.push(figure);
        self.cpu.extend(cpu.map(|time| time.as_secs_f64()));
    }

    fn sorted(figures: &[f64]) -> Vec<f64> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// Minimum, median, maximum.
    fn spread(&self) -> Option<[f64; 3]> {
        let sorted = Self::sorted(&self.figures);
        Some([*sorted.first()?, sorted[sorted.len() / 2], *sorted.last()?])
    }

    fn median_cpu(&self) -> Option<f64> {
        let sorted = Self::sorted(&self.cpu);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// A workload's row: what it is, its unit, its goal, and the samples of each target in their order.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) work: &'static str,
    pub(super) unit: Unit,
    pub(super) goal: &'static str,
    pub(super) samples: Vec<Samples>,
    /// Rounds that were measured again because the floor moved too far.
    pub(super) unsteady: u32,
}

/// The rows as text: per target minimum, median and maximum, processor time, and the ratio of medians to the first.
pub(super) fn table(targets: &[String], rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let _ = write!(out, "{}   (goal: {})", row.work, row.goal);
        let _ = match row.unsteady {
            0 => writeln!(out),
            rounds => writeln!(out, "   {rounds} rounds thrown away: the floor moved"),
        };
        let first = row.samples.first().and_then(Samples::spread).map(|[_, median, _]| median);
        for (target, samples) in targets.iter().zip(&row.samples) {
            let _ = write!(out, "  {target:<14}");
            match samples.spread() {
                Some([least, median, most]) => {
                    let _ = write!(
                        out,
                        "{:>12} {:>12} {:>12}",
                        row.unit.show(least),
                        row.unit.show(median),
                        row.unit.show(most)
                    );
                    if let Some(cpu) = samples.median_cpu() {
                        let _ = write!(out, "   cpu {:>8.2} ms", cpu * 1e3);
                    }
                    if let Some(first) = first.filter(|_| median > 0.0) {
                        let _ = write!(out, "   first/this {:.3}", first / median);
                    }
                }
                None => out.push_str("           –"),
            }
            if let Some(failure) = &samples.failure {
                let _ = write!(out, "   failed: {failure}");
            }
            out.push('\n');
        }
    }
    out
}
