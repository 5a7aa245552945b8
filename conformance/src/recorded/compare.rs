//! Holds a live answer against the recorded one.

use similar::TextDiff;

use super::{lane::Ran, naming::Naming, script::Script};
use crate::exchange::{Exchange, Normaliser};

/// How a step came out beside its recording, both normalised.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was recorded.
    pub recorded: String,
    /// What came.
    pub live: String,
}

impl Comparison {
    /// Whether they are the same.
    pub fn is_equal(&self) -> bool {
        self.recorded == self.live
    }

    /// A unified diff from the recorded to the received; empty when they are equal.
    pub fn diff(&self) -> String {
        let diff = TextDiff::from_lines(&self.recorded, &self.live);
        diff.unified_diff().context_radius(3).header("recorded", "received").to_string()
    }

    /// The first difference, in a line.
    pub fn summary(&self) -> String {
        let (was, is) = (self.recorded.lines(), self.live.lines());
        let differing = was.map(Some).chain(std::iter::repeat(None)).zip(is.map(Some).chain(std::iter::repeat(None)));
        match differing.take_while(|(was, is)| was.is_some() || is.is_some()).find(|(was, is)| was != is) {
            Some((Some(was), Some(is))) => format!("{:?}, recorded {:?}", is.trim(), was.trim()),
            Some((Some(was), None)) => format!("ends before {:?}", was.trim()),
            Some((None, Some(is))) => format!("goes on with {:?}", is.trim()),
            _ => "equal".to_owned(),
        }
    }
}

/// Compares the steps of a script with their recordings. Ids are told by the steps that brought them, on both sides,
/// so that an answer with another object's id is a difference.
pub fn compare(script: &Script, ran: &[Ran<'_>], naming: &Naming) -> Vec<Comparison> {
    let (mut then, mut now) = (Normaliser::new(), Normaliser::new());
    ran.iter()
        .map(|Ran { step, live }| {
            let name = format!("{}/{}", script.scenario, step.name);
            learn(&mut then, &step.recorded, &name);
            learn(&mut now, live, &name);
            Comparison { recorded: then.answer(&step.recorded), live: naming.undo(&now.answer(live)).into_owned() }
        })
        .collect()
}

fn learn(normaliser: &mut Normaliser, exchange: &Exchange, name: &str) {
    if exchange.request.method == "POST"
        && let Ok(response) = &exchange.answer
        && response.status == 201
        && let Some(id) = response.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned()))
    {
        normaliser.learn(&id, name);
    }
}
