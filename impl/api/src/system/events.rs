//! `GET /events`: what happened and happens, a JSON message each.

use std::{io, sync::Arc};

use drydock_core::Timestamp;
use drydock_engine::{Engine, Event, EventStream, Events, Target};
use drydock_spec::Behaviour;
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::{
    body::Body,
    call::{Call, Filters},
    policy::Policy,
    reply::{self, Answered, Refusal, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let filters = call.filters("filters")?;
    let since = instant(&call, "since")?;
    let until = instant(&call, "until")?.filter(|until| until.unix_seconds() > 0);
    let replays_all = call.version.has(Behaviour::EventsReplayFromZero);
    let since = since.filter(|since| replays_all || since.unix_seconds() > 0);
    let wanted = Wanted::new(&call, &filters);
    let policy = call.policy();
    let stream = call.api.0.engine.events(Events { since, until }, |action| policy.tells(action));
    Ok(Reply::body("streamed", body(&call, stream, wanted)))
}

/// Unix seconds. What cannot be read is refused where the version says so, else ignored.
fn instant(call: &Call, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let seconds =
        if call.answers("time-malformed") { call.strict(name, "time-malformed")? } else { call.query.lenient(name) };
    Ok(seconds.and_then(|seconds| Timestamp::from_unix(seconds, 0)))
}

fn body(call: &Call, events: EventStream, mut wanted: Wanted) -> Body {
    let (version, endpoint) = (call.version, call.endpoint);
    let messages = stream::unfold(events, |mut events| async { events.next().await.map(|event| (event, events)) });
    let messages = messages.filter_map(move |event: Arc<Event>| {
        let from = if version.has(Behaviour::EventsFromAsGiven) { event.from.clone() } else { with_tag(&event.from) };
        let message = (Policy(version).tells(&event.action) && wanted.takes(&event, &from)).then(|| {
            reply::message(
                version,
                endpoint,
                "streamed",
                json!({"status": event.action.word(), "id": event.id, "from": from, "time": event.time.unix_seconds()}),
            )
        });
        std::future::ready(message.map(Ok::<_, io::Error>))
    });
    Body::stream_while_connected(messages, call.slot.clone())
}

/// An image's name with its tag, as older daemons told it.
fn with_tag(name: &str) -> String {
    let reference = drydock_core::ImageReference::split(name);
    match reference.selector {
        None if !name.is_empty() => format!("{name}:{}", drydock_core::ImageReference::DEFAULT_TAG),
        _ => name.to_owned(),
    }
}

/// What a listener filters by; an empty list takes everything.
struct Wanted {
    events: Vec<String>,
    images: Vec<String>,
    containers: Vec<Named>,
    /// What stands before a colon matches, too.
    parts: bool,
    engine: Engine,
}

/// A container that a listener named.
enum Named {
    Id(String),
    /// There was none of this name so far.
    Unknown(Target),
}

impl Wanted {
    fn new(call: &Call, filters: &Filters) -> Self {
        let parts = call.version.has(Behaviour::EventsFiltersMatchParts);
        let name = |reference: String| match parts {
            true => Named::Unknown(call.policy().target(&reference)),
            false => Named::Id(reference),
        };
        Self {
            events: filters.texts("event"),
            images: filters.texts("image"),
            containers: filters.texts("container").into_iter().map(name).collect(),
            parts,
            engine: call.api.0.engine.clone(),
        }
    }

    fn takes(&mut self, event: &Event, from: &str) -> bool {
        // Named once, a container stays meant: its own end is told, too.
        for named in &mut self.containers {
            if let Named::Unknown(target) = named
                && let Ok(found) = self.engine.inspect(target)
            {
                *named = Named::Id(found.snapshot.id.to_string());
            }
        }
        let matches = |wanted: &[String], field: &str| {
            let part = field.split_once(':').map(|(part, _)| part).filter(|_| self.parts);
            wanted.is_empty() || wanted.iter().any(|wanted| *wanted == field || Some(wanted.as_str()) == part)
        };
        let is = |named: &Named| matches!(named, Named::Id(id) if *id == event.id);
        matches(&self.events, &event.action.word())
            && matches(&self.images, from)
            && (self.containers.is_empty() || self.containers.iter().any(is))
    }
}
