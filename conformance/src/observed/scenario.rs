//! Recorded scenarios with their observations.

use drydock_spec::Version;

use crate::{
    exchange::{FileName, Observation, RecordingError, Recordings, Seen},
    recorded::{BESIDE_THE_API, Bodies, Script, Step, scripts},
};

/// A recorded scenario, requests and observations in the order in which they were made.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `inside/default`.
    pub name: String,
    /// In order.
    pub parts: Vec<Part>,
}

/// A request, or a look beside the API.
#[derive(Clone, Debug)]
pub enum Part {
    /// A request and what the genuine daemon answered.
    Ask(Box<Step>),
    /// Something that was looked at.
    Look(Observed),
}

/// Something that was looked at, and what it showed.
#[derive(Clone, Debug)]
pub struct Observed {
    /// `mountinfo`.
    pub step: String,
    /// Which look of this name in its scenario, counted from 1.
    pub nth: u32,
    /// How it was looked at, and what it showed.
    pub seen: Observation,
    /// `1.7.1-v1.19#3040`.
    pub origin: String,
}

impl Observed {
    /// Unique in its scenario: the name, and `#2` and so on where it came before.
    pub fn label(&self) -> String {
        match self.nth {
            1 => self.step.clone(),
            nth => format!("{}#{nth}", self.step),
        }
    }
}

impl Scenario {
    /// Its first word.
    pub fn group(&self) -> &str {
        self.name.split('/').next().unwrap_or(&self.name)
    }

    /// Its requests alone.
    pub fn script(&self) -> Script {
        let ask = |part: &Part| match part {
            Part::Ask(step) => Some((**step).clone()),
            Part::Look(_) => None,
        };
        Script { scenario: self.name.clone(), steps: self.parts.iter().filter_map(ask).collect() }
    }

    /// Its looks alone.
    pub fn looks(&self) -> impl Iterator<Item = &Observed> {
        self.parts.iter().filter_map(|part| match part {
            Part::Look(observed) => Some(observed),
            Part::Ask(_) => None,
        })
    }
}

/// The scenarios of a version's own file that hold observations, in the order in which they ran.
pub fn scenarios(recordings: &Recordings, bodies: &Bodies, version: Version) -> Result<Vec<Scenario>, RecordingError> {
    let file = FileName::own(version);
    let mut steps = scripts(recordings, bodies, version)?.into_iter().flat_map(|script| script.steps);
    let mut scenarios: Vec<Scenario> = Vec::new();
    for record in recordings.read(file)? {
        let is_exchange = matches!(record.seen, Seen::Exchange { .. });
        let step = if is_exchange { steps.next() } else { None };
        let group = record.scenario.split('/').next().unwrap_or_default();
        if !BESIDE_THE_API.contains(&group) {
            continue;
        }
        if scenarios.last().is_none_or(|last| last.name != record.scenario) {
            scenarios.push(Scenario { name: record.scenario.clone(), parts: Vec::new() });
        }
        let Some(scenario) = scenarios.last_mut() else { continue };
        match (record.seen, step) {
            (Seen::Observation(seen), _) => {
                let nth = 1 + scenario.looks().filter(|known| known.step == record.step).count() as u32;
                let origin = format!("{file}#{}", record.seq);
                scenario.parts.push(Part::Look(Observed { step: record.step, nth, seen, origin }));
            }
            (Seen::Exchange { .. }, Some(step)) => scenario.parts.push(Part::Ask(Box::new(step))),
            (Seen::Exchange { .. }, None) => {}
        }
    }
    Ok(ends_later(scenarios))
}

/// Scenarios that hold something for others, the step at which their rest begins, and the last scenario before it: the
/// recorder wrote them down in one piece.
const HOLD: [(&str, &str, &str); 3] = [
    ("inside/target", "cleanup", "inside/mac"),
    ("inside/volumes-from", "cleanup", "inside/volume-from-and-bind"),
    ("inside/volumes-host-folder", "bind-missing-made", "inside/volume-from-and-bind"),
];

fn ends_later(mut scenarios: Vec<Scenario>) -> Vec<Scenario> {
    for (name, step, last) in HOLD {
        let is_rest = |part: &Part| match part {
            Part::Ask(asked) => asked.name == step,
            Part::Look(observed) => observed.step == step,
        };
        let Some(holds) = scenarios.iter_mut().find(|scenario| scenario.name == name) else { continue };
        let Some(at) = holds.parts.iter().position(is_rest) else { continue };
        let rest = Scenario { name: name.to_owned(), parts: holds.parts.split_off(at) };
        if let Some(last) = scenarios.iter().position(|scenario| scenario.name == last) {
            scenarios.insert(last + 1, rest);
        }
    }
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::Image;

    #[test]
    fn requests_and_looks_stand_in_the_order_in_which_they_were_made() {
        let recordings = Recordings::of_the_project();
        let bodies = Bodies::read(&recordings, &Image::default()).unwrap();
        let scenarios = scenarios(&recordings, &bodies, Version::NEWEST).unwrap();
        let default = scenarios.iter().find(|scenario| scenario.name == "inside/default").unwrap();
        let names: Vec<&str> = default
            .parts
            .iter()
            .map(|part| match part {
                Part::Ask(step) => step.name.as_str(),
                Part::Look(observed) => observed.step.as_str(),
            })
            .collect();
        assert_eq!(names[..5], ["create", "start", "wait", "mountinfo", "status"]);
        assert_eq!(names[names.len() - 2..], ["env", "cleanup"]);
    }
}
