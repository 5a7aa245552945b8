//! `GET /events`: what happened and happens, a JSON message each.

use std::{io, sync::Arc};

use drydock_core::Timestamp;
use drydock_engine::{Event, EventStream, Events};
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
    let stream = call.api.0.engine.events(Events { since, until });
    Ok(Reply::body("streamed", body(&call, stream, wanted)))
}

/// Unix seconds. What cannot be read is refused where the version says so, else ignored.
fn instant(call: &Call, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let seconds =
        if call.answers("time-malformed") { call.strict(name, "time-malformed")? } else { call.query.lenient(name) };
    Ok(seconds.and_then(|seconds| Timestamp::from_unix(seconds, 0)))
}

fn body(call: &Call, events: EventStream, wanted: Wanted) -> Body {
    let (version, endpoint) = (call.version, call.endpoint);
    let messages = stream::unfold(events, |mut events| async { events.next().await.map(|event| (event, events)) });
    let messages = messages.filter_map(move |event: Arc<Event>| {
        let message = (Policy(version).tells(&event.action) && wanted.takes(&event)).then(|| {
            let from =
                if version.has(Behaviour::EventsFromAsGiven) { event.from.clone() } else { with_tag(&event.from) };
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
    /// Ids of the containers that were named, or what was named where there is none.
    containers: Vec<String>,
}

impl Wanted {
    fn new(call: &Call, filters: &Filters) -> Self {
        let containers = filters.texts("container").into_iter().map(|reference| {
            let found = call.api.0.engine.inspect(&call.policy().target(&reference));
            found.map_or(reference, |inspection| inspection.snapshot.id.to_string())
        });
        Self { events: filters.texts("event"), images: filters.texts("image"), containers: containers.collect() }
    }

    fn takes(&self, event: &Event) -> bool {
        let word = event.action.word();
        let word = word.split(':').next().unwrap_or_default();
        let any = |wanted: &[String], matches: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| matches(wanted))
        };
        any(&self.events, &|wanted| wanted == word)
            && any(&self.images, &|wanted| {
                [event.from.as_str(), event.id.as_str()]
                    .iter()
                    .any(|image| *image == wanted || image.split(':').next() == Some(wanted))
            })
            && any(&self.containers, &|wanted| event.id == wanted)
    }
}
