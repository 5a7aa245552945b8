//! Holds a live answer against the recorded one.

use std::borrow::Cow;

use serde_json::Value;
use similar::TextDiff;

use super::{
    beginnings,
    lane::Ran,
    naming::Naming,
    script::{Ruled, Script},
};
use crate::exchange::{Content, Exchange, Normaliser, Response};

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
/// so that an answer with another object's id is a difference. `may_be_added`: whether a header of the answer to a
/// recorded request is one that no genuine daemon sends, and right to send.
pub fn compare(
    script: &Script,
    ran: &[Ran<'_>],
    naming: &Naming,
    may_be_added: impl Fn(&Exchange, &str, &str) -> bool,
) -> Vec<Comparison> {
    let (mut then, mut now) = (Normaliser::new(), Normaliser::new());
    ran.iter()
        .map(|Ran { step, live }| {
            let name = format!("{}/{}", script.scenario, step.name);
            learn(&mut then, &step.recorded, &name);
            learn(&mut now, live, &name);
            let path = step.request.path();
            let (recorded, live) = if path.ends_with("/containers/json") || path.ends_with("/containers/ps") {
                (without_leftovers(&step.recorded), without_leftovers(live))
            } else if path.ends_with("/events") {
                (own_events(&step.recorded, script, &then), own_events(live, script, &now))
            } else if path.ends_with("/stats") {
                as_far_as_both_go(&step.recorded, live)
            } else {
                (Cow::Borrowed(&step.recorded), Cow::Borrowed(live))
            };
            let live = without_headers(live, |name, value| may_be_added(&step.recorded, name, value));
            let reference = beginnings::named_by(&live.request.target).map(|(_, written)| written.to_owned());
            let live = naming.undo(&now.answer(&live)).into_owned();
            match &step.ruled {
                Ruled::Right if step.named_by.is_some() => {
                    let without = |answer: String, reference: &Option<String>| match reference {
                        Some(reference) => beginnings::without(&answer, reference),
                        None => answer,
                    };
                    let recorded = without(then.answer(&recorded), &step.named_by);
                    Comparison { recorded, live: without(live, &reference) }
                }
                Ruled::Right => Comparison { recorded: then.answer(&recorded), live },
                Ruled::Otherwise(right) => Comparison { recorded: then.answer(right), live },
                Ruled::HeadOnly => Comparison { recorded: head(then.answer(&recorded)), live: head(live) },
            }
        })
        .collect()
}

/// An exchange whose answer lacks the headers that `left_out` takes.
fn without_headers<'e>(mut exchange: Cow<'e, Exchange>, left_out: impl Fn(&str, &str) -> bool) -> Cow<'e, Exchange> {
    let any = |response: &Response| response.headers.iter().any(|(name, value)| left_out(name, value));
    if exchange.answer.as_ref().is_ok_and(any)
        && let Ok(response) = &mut exchange.to_mut().answer
    {
        response.headers.retain(|(name, value)| !left_out(name, value));
    }
    exchange
}

/// An answer's head: what stands before the empty line.
fn head(mut answer: String) -> String {
    if let Some(end) = answer.find("\n\n") {
        answer.truncate(end + 1);
    }
    answer
}

/// Events without those of what the scenario did not make: others ran in the same second.
fn own_events<'e>(exchange: &'e Exchange, script: &Script, normaliser: &Normaliser) -> Cow<'e, Exchange> {
    let events = exchange.answer.as_ref().ok().and_then(Response::json_lines).filter(|events| !events.is_empty());
    let Some(mut events) = events else { return Cow::Borrowed(exchange) };
    let spoken_of = |id: &str| script.steps.iter().any(|step| step.request.target.contains(&format!("/{id}")));
    events.retain(|event| {
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
        normaliser.knows(id) || spoken_of(id)
    });
    with_messages(exchange, &events)
}

/// Two streams of figures that the client left: how many came until then is chance.
fn as_far_as_both_go<'e>(recorded: &'e Exchange, live: &'e Exchange) -> (Cow<'e, Exchange>, Cow<'e, Exchange>) {
    let left = |exchange: &Exchange| {
        let response = exchange.answer.as_ref().ok().filter(|response| response.left_early())?;
        response.json_lines().filter(|messages| !messages.is_empty())
    };
    match (left(recorded), left(live)) {
        (Some(then), Some(now)) => {
            let length = then.len().min(now.len());
            (with_messages(recorded, &then[..length]), with_messages(live, &now[..length]))
        }
        _ => (Cow::Borrowed(recorded), Cow::Borrowed(live)),
    }
}

fn with_messages<'e>(exchange: &Exchange, messages: &[Value]) -> Cow<'e, Exchange> {
    let mut exchange = exchange.clone();
    if let Ok(response) = &mut exchange.answer {
        response.content =
            Content::Bytes(messages.iter().flat_map(|message| format!("{message}\n").into_bytes()).collect());
    }
    Cow::Owned(exchange)
}

/// Containers that no step makes which is kept: of a part of the recording that was made again, and of a create that
/// failed (ruling `create.failure-leaves-a-container`).
const LEFTOVERS: [&str; 3] = ["/hc", "/hs", "/v49"];

/// A list without what the recorder had left on its daemon, and without containers whose names are chance: checks beside the
/// scripts leave some, and one is named like the beginning of an id.
fn without_leftovers(recorded: &Exchange) -> Cow<'_, Exchange> {
    let list = recorded.answer.as_ref().ok().and_then(Response::json);
    let Some(Value::Array(mut list)) = list else { return Cow::Borrowed(recorded) };
    let before = list.len();
    let name = |item: &Value| item.pointer("/Names/0").and_then(Value::as_str).map(str::to_owned);
    let left = |name: &str| LEFTOVERS.contains(&name) || beginnings::is_chance(name.trim_start_matches('/'));
    list.retain(|item| name(item).is_none_or(|name| !left(&name)));
    let mut recorded = Cow::Borrowed(recorded);
    if list.len() < before
        && let Ok(response) = &mut recorded.to_mut().answer
    {
        response.content = Content::Bytes(Value::Array(list).to_string().into_bytes());
    }
    recorded
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
