//! A recorded scenario as a script: what to send, in which order, and what the genuine daemon answered.

use std::time::Duration;

use drydock_spec::Version;

use super::{beginnings, bodies::Bodies};
use crate::exchange::{Exchange, FileName, Input, Record, RecordingError, Recordings, Request, RequestBody, Seen};

/// A recorded scenario.
#[derive(Clone, Debug)]
pub struct Script {
    /// `images.tag/all`.
    pub scenario: String,
    /// In order.
    pub steps: Vec<Step>,
}

/// One request of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// `hex64`.
    pub name: String,
    /// Which run of a step of this name, counted from 1.
    pub nth: u32,
    /// What to send; `{c:NAME}`, `{i:NAME}` and `{id:SCENARIO/STEP}` in target and body stand for ids.
    pub request: Request,
    /// What was recorded.
    pub recorded: Exchange,
    /// The step before which it is sent, where it was under way while others ran.
    pub sent_before: Option<&'static str>,
    /// What the recorded target names a container by, where that is chance and answers repeat it.
    pub named_by: Option<String>,
    /// What a ruling says of the recorded answer.
    pub ruled: Ruled,
}

/// How far a recorded answer is the right one.
#[derive(Clone, Debug, Default)]
pub enum Ruled {
    /// It is.
    #[default]
    Right,
    /// This one is.
    Otherwise(Box<Exchange>),
    /// Its head is; its content is chance.
    HeadOnly,
}

impl Step {
    /// Unique in its scenario: the name, and `#2` and so on where it came before.
    pub fn label(&self) -> String {
        match self.nth {
            1 => self.name.clone(),
            nth => format!("{}#{nth}", self.name),
        }
    }

    /// Whether it only tidies.
    pub fn is_cleanup(&self) -> bool {
        self.name.starts_with("cleanup")
    }
}

/// Exchanges that were under way while later ones ran: scenario, step, the step before which it was sent.
const UNDER_WAY: [(&str, &str, &str); 10] = [
    ("events/lifecycle", "live", "create"),
    ("containers.wait/all", "wait-until-killed", "kill-2"),
    // Recorded within the millisecond after the start: sent before it, they miss nothing on a faster daemon either.
    ("containers.attach/streams", "plain", "plain-start"),
    ("containers.attach/streams", "upgrade", "upgrade-start"),
    ("containers.attach/streams", "stdout-only", "stdout-only-start"),
    ("containers.attach/streams", "stderr-only", "stderr-only-start"),
    ("exec/all", "stdin-start", "stdin-inspect-running"),
    ("exec/all", "tty-stdin-start", "resize"),
    ("containers.attach/streams", "two-a", "two-kill"),
    ("containers.attach/streams", "two-b", "two-kill"),
];

/// What was sent on a websocket, which the recordings leave out.
const WEBSOCKET_INPUT: [(&str, &str, &[&str]); 2] = [
    ("containers.attach-ws/all", "stream", &["ping one\n", "ping two\n"]),
    // Nothing but the close message.
    ("containers.attach-ws/all", "close-frame", &[]),
];

/// The wait before each input on a hijacked connection, as the recorder had it: without it two inputs are one read.
const BETWEEN_INPUTS: Duration = Duration::from_millis(300);

/// The scenarios of a version's own file, in the order in which they ran.
pub fn scripts(recordings: &Recordings, bodies: &Bodies, version: Version) -> Result<Vec<Script>, RecordingError> {
    let mut scripts: Vec<Script> = Vec::new();
    for record in recordings.read(FileName::own(version))? {
        let Record { scenario, step, seen: Seen::Exchange { exchange, target_template, body_template }, .. } = record
        else {
            continue;
        };
        if scripts.last().is_none_or(|script| script.scenario != scenario) {
            scripts.push(Script { scenario, steps: Vec::new() });
        }
        let Some(script) = scripts.last_mut() else { continue };
        let nth = 1 + script.steps.iter().filter(|known| known.name == step).count() as u32;
        let exchange = *exchange;
        let mut request = exchange.request.clone();
        if let Some(target) = target_template {
            request.target = target;
        }
        if let Some(body) = body_template {
            request.body = RequestBody::Bytes(body.into_bytes());
        }
        if let RequestBody::Described { .. } = request.body
            && let Some(bytes) = bodies.of(&script.scenario, &step, nth)
        {
            request.body = RequestBody::Bytes(bytes);
        }
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Length") || request.raw.is_some());
        request.stdin = paced(&script.scenario, &step, &request.stdin);
        let sent_before = UNDER_WAY
            .iter()
            .find(|(scenario, name, _)| *scenario == script.scenario && *name == step)
            .map(|(.., before)| *before);
        let named_by =
            beginnings::replaced(&script.scenario, &step, &exchange.request.target).map(|(target, written)| {
                request.target = target;
                written
            });
        let ruled = Ruled::Right;
        script.steps.push(Step { name: step, nth, request, recorded: exchange, sent_before, named_by, ruled });
    }
    Ok(scripts)
}

fn paced(scenario: &str, step: &str, recorded: &[Input]) -> Vec<Input> {
    let known = WEBSOCKET_INPUT.iter().find(|(s, name, _)| *s == scenario && *name == step);
    let inputs: Vec<Input> = match known {
        Some((.., [])) => vec![Input::HalfClose],
        Some((.., texts)) => texts.iter().map(|text| Input::Bytes(text.as_bytes().to_vec())).collect(),
        None => recorded.to_vec(),
    };
    inputs.into_iter().flat_map(|input| [Input::Pause(BETWEEN_INPUTS), input]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_spec::VERSIONS;

    #[test]
    fn every_recorded_body_is_known() {
        let recordings = Recordings::of_the_project();
        let bodies =
            Bodies::read(&recordings, &super::super::Image { archive: vec![1], layer: vec![2], udp_echo: vec![3] })
                .unwrap();
        for version in VERSIONS {
            for script in scripts(&recordings, &bodies, version).unwrap() {
                for step in &script.steps {
                    assert!(
                        !matches!(step.request.body, RequestBody::Described { .. }),
                        "{version} {}/{}",
                        script.scenario,
                        step.name
                    );
                }
            }
        }
    }
}
