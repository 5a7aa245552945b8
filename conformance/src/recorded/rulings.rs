//! What the spec's rulings say of recorded answers that are of the described kind: what is right instead, or that their
//! content is chance.

use std::collections::HashMap;

use drydock_spec::{
    Spec, Version,
    model::{RightAnswer, Ruling},
};

use super::script::{Ruled, Script, Step};
use crate::{
    exchange::{Content, End, Exchange, FileName, Frame, Origin, Record, RecordingError, Recordings, Seen},
    verdict::matches,
};

/// The exchanges of a version's own file, by scenario and step; of steps that ran twice the first.
type Answers = HashMap<(String, String), Exchange>;

/// Marks the steps of a version's scripts that a ruling speaks of. A right answer that is recorded nowhere leaves its
/// step as it is.
pub fn apply_rulings(
    spec: &Spec,
    recordings: &Recordings,
    version: Version,
    scripts: &mut [Script],
) -> Result<(), RecordingError> {
    let rulings: Vec<&Ruling> = spec.rulings().iter().filter(|ruling| ruling.versions.contains(version)).collect();
    let mut elsewhere: HashMap<Version, Answers> = HashMap::new();
    for script in scripts {
        for step in &mut script.steps {
            let Some(name) = name(step) else { continue };
            let listed = |globs: &[String]| globs.iter().any(|glob| matches(glob, &name));
            let right = rulings.iter().flat_map(|ruling| &ruling.right).find(|right| listed(&right.exchanges));
            step.ruled = match right {
                Some(RightAnswer { as_in: Some(version), .. }) => {
                    if !elsewhere.contains_key(version) {
                        elsewhere.insert(*version, answers(recordings, *version)?);
                    }
                    let right = elsewhere.get(version);
                    let right = right.and_then(|answers| answers.get(&(script.scenario.clone(), step.name.clone())));
                    right.map_or(Ruled::Right, |right| Ruled::Otherwise(Box::new(right.clone())))
                }
                Some(right) => Ruled::Otherwise(Box::new(with_output(&step.recorded, right))),
                None if rulings.iter().any(|ruling| listed(&ruling.chance)) => Ruled::HeadOnly,
                None => Ruled::Right,
            };
        }
    }
    Ok(())
}

/// `FILE SCENARIO/STEP`.
fn name(step: &Step) -> Option<String> {
    let Origin::Recorded { file, scenario, step, .. } = &step.recorded.origin else { return None };
    Some(format!("{file} {scenario}/{step}"))
}

fn with_output(recorded: &Exchange, right: &RightAnswer) -> Exchange {
    let mut exchange = recorded.clone();
    if let Ok(response) = &mut exchange.answer {
        let frame = |(stream, text): &(u8, String)| Frame { stream: *stream, payload: text.clone().into_bytes() };
        response.content = Content::Frames(right.output.iter().map(frame).collect());
        response.end = End::Eof;
    }
    exchange
}

fn answers(recordings: &Recordings, version: Version) -> Result<Answers, RecordingError> {
    let mut answers = Answers::new();
    for record in recordings.read(FileName::own(version))? {
        if let Record { scenario, step, seen: Seen::Exchange { exchange, .. }, .. } = record {
            answers.entry((scenario, step)).or_insert(*exchange);
        }
    }
    Ok(answers)
}
