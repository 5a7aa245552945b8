//! What a daemon tells of what happens.

use std::time::Duration;

use serde_json::Value;

use super::{
    Check::{Live, Recorded},
    Scenario, Seen, Shown, Wrong, holds,
    logs::contains,
};

const EVENTS: &str = "events/lifecycle";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "each event is an object with status, id, from and time",
        clauses: &["api.events.027", "api.events.037", "api.events.038"],
        from: "",
        until: "",
        check: Recorded(EVENTS, |seen| {
            let events = of_container(seen, "live")?;
            let whole = |event: &Value| {
                event["status"].is_string()
                    && event["id"].is_string()
                    && event["time"].is_i64()
                    && event.get("from").is_some()
            };
            // An image's event has no image that it comes from.
            let odd = events
                .iter()
                .find(|event| !whole(event) && !["untag", "delete", "tag", "import", "pull"].contains(&status(event)));
            holds(!events.is_empty() && odd.is_none(), || format!("{} events, one is {odd:?}", events.len()))
        }),
    },
    Scenario {
        name: "create, start, pause, unpause, export, restart, stop, die and destroy are told in their order",
        clauses: &[
            "api.events.002",
            "api.events.004",
            "api.events.005",
            "api.events.006",
            "api.events.007",
            "api.events.008",
            "api.events.009",
            "api.events.011",
            "api.events.012",
            "api.events.013",
            "api.events.014",
            "api.events.015",
            "api.events.039",
            "api.events.040",
            "ovw.events.002",
        ],
        from: "",
        until: "",
        check: Recorded(EVENTS, |seen| {
            in_order(
                &of_container(seen, "live")?,
                &["create", "start", "pause", "unpause", "export", "die", "start", "restart", "die", "stop", "destroy"],
            )
        }),
    },
    Scenario {
        name: "an exec is told when it is made and when it starts",
        clauses: &["api.events.016", "api.events.017", "ovw.events.003", "ovw.events.004"],
        from: "1.17",
        until: "",
        check: Recorded(EVENTS, |seen| {
            let events = of_container(seen, "live")?;
            let place = |word: &str| events.iter().position(|event| status(event).starts_with(word));
            let (made, started) = (place("exec_create"), place("exec_start"));
            holds(made.is_some() && made < started, || format!("exec_create at {made:?}, exec_start at {started:?}"))
        }),
    },
    Scenario {
        name: "an image is told when it loses a tag and when it is deleted",
        clauses: &["api.events.019", "api.events.020", "ovw.events.005", "ovw.events.007"],
        from: "",
        until: "",
        check: Recorded(EVENTS, |seen| in_order(&events(seen, "live")?, &["untag", "delete"])),
    },
    Scenario {
        name: "until ends the stream",
        clauses: &["api.events.003", "api.events.021", "api.events.022", "ovw.v1-11.002", "ovw.v1-3.002"],
        from: "",
        until: "",
        check: Recorded(EVENTS, |seen| {
            let ended = !seen.answer("since-until")?.left_early();
            let events = events(seen, "since-until")?;
            holds(ended && !events.is_empty(), || format!("ended: {ended}, {} events", events.len()))
        }),
    },
    Scenario {
        name: "the filter event keeps events of that name",
        clauses: &["api.events.023", "api.events.024"],
        from: "1.16",
        until: "",
        check: Recorded(EVENTS, |seen| {
            let events = events(seen, "filter-event-start")?;
            let other = events.iter().find(|event| status(event) != "start");
            holds(!events.is_empty() && other.is_none(), || format!("{} events, one is {other:?}", events.len()))
        }),
    },
    Scenario {
        name: "the head of an event stream comes before any event",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let mut stream = stage.open(stage.request("GET", "/events"), Duration::from_secs(2));
            let came = stream.await_head();
            stream.allow(Duration::ZERO);
            let exchange = stream.finish();
            stage.note(&exchange);
            holds(came && exchange.status() == Some(200), || "it did not come within two seconds".to_owned())
        }),
    },
    Scenario {
        name: "an event comes when the container is in its new state",
        clauses: &["api.events.010"],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("events", "sleep 1000")?;
            let mut stream = stage.open(stage.request("GET", "/events"), Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(300));
            stage.start(&container)?;
            let came = stream.await_body(|body| contains(body, b"\"start\""));
            let running = stage.inspect(&container, "/State/Running")?;
            holds(came && running == true, || format!("came: {came}, Running {running}"))?;
            stage.set_up(stage.request("POST", &format!("/containers/{container}/kill")), &[204])?;
            let came = stream.await_body(|body| contains(body, b"\"die\"") || contains(body, b"\"kill\""));
            let running = stage.inspect(&container, "/State/Running")?;
            stream.allow(Duration::ZERO);
            stage.note(&stream.finish());
            holds(came && running == false, || format!("came: {came}, Running {running}"))
        }),
    },
];

fn events(seen: &Seen<'_>, step: &str) -> Result<Vec<Value>, Wrong> {
    let answer = seen.with_status(step, 200)?;
    let events = answer.json_lines();
    events.ok_or_else(|| Wrong::Not(format!("{step} is no stream of JSON: {:?}", answer.text())))
}

/// The events of the scenario's own container: others may use the daemon at the same time.
fn of_container(seen: &Seen<'_>, step: &str) -> Result<Vec<Value>, Wrong> {
    let id = seen.at("create", "/Id")?;
    Ok(events(seen, step)?.into_iter().filter(|event| event["id"] == id).collect())
}

fn status(event: &Value) -> &str {
    event["status"].as_str().unwrap_or_default()
}

/// The words come in this order, whatever comes between.
fn in_order(events: &[Value], words: &[&str]) -> Shown {
    let mut statuses = events.iter().map(status);
    for word in words {
        let found = statuses.any(|status| status == *word);
        holds(found, || format!("{word} is missing in {:?}", events.iter().map(status).collect::<Vec<_>>()))?;
    }
    Ok(())
}
