//! Streams under way: several clients at once, clients that come late, leave or say all they have, much output.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Check::Live, Scenario, Shown, Stage, Wrong, holds, logs::contains};
use crate::exchange::{Conversation, Exchange};

/// How long what a scenario waits for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that says about a megabyte, each line once.
const MUCH: &str = "seq 1 200000";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "clients that attach before the start all get every byte, and so do the logs",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("flow-all", MUCH)?;
            let clients = [(); 3].map(|()| attach(stage, &container, "stream=1&stdout=1&stderr=1"));
            stage.start(&container)?;
            for client in clients {
                is_much("an attached client", &output(stage, client)?)?;
            }
            is_much("the log", &stage.log(&container, 1)?)
        }),
    },
    Scenario {
        name: "a follow that begins midway gets what was and what comes, each byte once",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let line = "seq 1 100000; read line; seq 100001 200000";
            let body = json!({"Image": "busybox", "Cmd": ["sh", "-c", line], "OpenStdin": true});
            let container = stage.create("flow-follow", body)?;
            let mut client = attach(stage, &container, "stream=1&stdin=1&stdout=1");
            stage.start(&container)?;
            holds(client.await_body(|body| contains(tail(body), b"\n100000\n")), || {
                "its first half does not come".to_owned()
            })?;
            let request = stage.request("GET", &format!("/containers/{container}/logs?follow=1&stdout=1"));
            let mut follow = stage.open(request, PATIENCE);
            holds(follow.await_body(|body| contains(tail(body), b"100000\n")), || {
                "the log so far does not come".to_owned()
            })?;
            client.write(b"go on\n");
            is_much("the follow", &output(stage, follow)?)?;
            is_much("the attached client", &output(stage, client)?)
        }),
    },
    Scenario {
        name: "a client that leaves takes nothing from the others",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("flow-leave", MUCH)?;
            let stays = attach(stage, &container, "stream=1&stdout=1");
            let leaves = attach(stage, &container, "stream=1&stdout=1");
            stage.start(&container)?;
            drop(leaves);
            is_much("the client that stays", &output(stage, stays)?)
        }),
    },
    Scenario {
        name: "without StdinOnce the end of a client's input lets that client go and the program on",
        clauses: &["api.containers.create.041"],
        from: "",
        until: "",
        check: Live(|stage| {
            let body = json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": false});
            let container = stage.create("flow-stdin", body)?;
            stage.start(&container)?;
            for word in [&b"first\n"[..], b"second\n"] {
                let mut client = attach(stage, &container, "stream=1&stdin=1&stdout=1");
                client.write(word);
                holds(client.await_body(|body| contains(body, word)), || format!("{word:?} does not come back"))?;
                client.half_close();
                output(stage, client)?;
            }
            let running = stage.inspect(&container, "/State/Running")?;
            holds(running == Value::Bool(true), || format!("State.Running is {running}"))
        }),
    },
    Scenario {
        // dockerode sends its options as JSON with every attach.
        name: "a body that comes with an attach is none of the program's input",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let body = json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": true});
            let container = stage.create("flow-body", body)?;
            stage.start(&container)?;
            let path = format!("/containers/{container}/attach?stream=1&stdin=1&stdout=1");
            let mut client = stage.open(stage.request("POST", &path).json(&json!({"stream": true})), PATIENCE);
            client.await_head();
            client.write(b"typed\n");
            client.half_close();
            let said = output(stage, client)?;
            holds(said == b"typed\n", || format!("the program read {:?}", String::from_utf8_lossy(&said)))
        }),
    },
    Scenario {
        name: "the detach keys let a client of a terminal go and the program on",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let body = json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "Tty": true});
            let container = stage.create("flow-keys", body)?;
            stage.start(&container)?;
            let mut client = attach(stage, &container, "stream=1&stdin=1&stdout=1&stderr=1");
            client.write(b"here\n");
            holds(client.await_body(|body| contains(body, b"here\r\nhere\r\n")), || "nothing comes back".to_owned())?;
            client.write(b"\x10\x11");
            output(stage, client)?;
            let running = stage.inspect(&container, "/State/Running")?;
            holds(running == Value::Bool(true), || format!("State.Running is {running}"))
        }),
    },
    Scenario {
        name: "a terminal that is resized tells its program",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let line = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";
            let container =
                stage.create("flow-size", json!({"Image": "busybox", "Cmd": ["sh", "-c", line], "Tty": true}))?;
            let mut client = attach(stage, &container, "stream=1&stdout=1&stderr=1");
            stage.start(&container)?;
            holds(client.await_body(|body| contains(body, b"ready")), || "the program is not ready".to_owned())?;
            stage.expect(stage.request("POST", &format!("/containers/{container}/resize?h=33&w=77")), 200)?;
            let told = client.await_body(|body| contains(body, b"33 77"));
            holds(told, || format!("it says {:?}", String::from_utf8_lossy(client.body())))
        }),
    },
    Scenario {
        name: "output without a newline is one line of the log, however long",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("flow-line", "head -c 4000000 /dev/zero | tr '\\0' x; echo; echo end")?;
            stage.start(&container)?;
            stage.wait(&container)?;
            let log = stage.log(&container, 1)?;
            let line = log.iter().take_while(|byte| **byte == b'x').count();
            holds(line == 4_000_000 && &log[line..] == b"\nend\n", || {
                format!("{line} bytes of it and {} others came", log.len() - line)
            })
        }),
    },
    Scenario {
        name: "execs at the same time have each its own output and exit code",
        clauses: &[],
        from: "1.16",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("flow-execs", "sleep 1000")?;
            stage.start(&container)?;
            let mut execs = Vec::new();
            for number in 0..12 {
                let line = format!("seq {number} 2000; exit {number}");
                let exec = exec(stage, &container, &json!(["sh", "-c", line]))?;
                let start = stage.request("POST", &format!("/exec/{exec}/start")).json(&json!({"Detach": false}));
                execs.push((number, stage.open(start, PATIENCE), exec));
            }
            for (number, stream, exec) in execs {
                let expected: String = (number..=2000).map(|line| format!("{line}\n")).collect();
                let came = output(stage, stream)?;
                holds(came == expected.as_bytes(), || {
                    format!("exec {number} says {} bytes of {}", came.len(), expected.len())
                })?;
                let inspected = stage.expect(stage.request("GET", &format!("/exec/{exec}/json")), 200)?;
                let code = inspected.json().and_then(|body| body.get("ExitCode")?.as_i64());
                holds(code == Some(number), || format!("exec {number} has ended with {code:?}"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "the stream of an exec ends with its container",
        clauses: &[],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("flow-dies", "sleep 1000")?;
            stage.start(&container)?;
            let exec = exec(stage, &container, &json!(["sh", "-c", "echo here; sleep 1000"]))?;
            let start = stage.request("POST", &format!("/exec/{exec}/start")).json(&json!({"Detach": false}));
            let mut stream = stage.open(start, PATIENCE);
            holds(stream.await_body(|body| contains(body, b"here\n")), || "the exec does not start".to_owned())?;
            stage.expect(stage.request("POST", &format!("/containers/{container}/kill")), 204)?;
            output(stage, stream).map(drop)
        }),
    },
    Scenario {
        name: "every listener hears every event once and in the same order",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let request = || stage.request("GET", "/events");
            let mut listeners: Vec<Conversation> = (0..10).map(|_| stage.open(request(), PATIENCE)).collect();
            for listener in &mut listeners {
                // Where the head comes with the first event only, the request is under way by then.
                listener.allow(Duration::from_millis(500));
                listener.await_head();
                listener.allow(PATIENCE);
            }
            let container = stage.shell("flow-events", "true")?;
            let id = stage.inspect(&container, "/Id")?.as_str().unwrap_or_default().to_owned();
            for _ in 0..5 {
                stage.start(&container)?;
                stage.wait(&container)?;
            }
            stage.expect(stage.request("DELETE", &format!("/containers/{container}")), 204)?;
            let mut heard = Vec::new();
            for mut listener in listeners {
                let whole =
                    listener.await_body(|body| statuses(body, &id).last().is_some_and(|last| last == "destroy"));
                holds(whole, || "a listener does not hear of the end".to_owned())?;
                heard.push(statuses(listener.body(), &id));
            }
            let starts = heard[0].iter().filter(|status| *status == "start").count();
            holds(starts == 5 && heard.iter().all(|events| *events == heard[0]), || format!("they hear {heard:?}"))
        }),
    },
];

fn attach(stage: &Stage<'_>, container: &str, query: &str) -> Conversation {
    let mut client = stage.open(stage.request("POST", &format!("/containers/{container}/attach?{query}")), PATIENCE);
    client.await_head();
    client
}

/// Makes an exec; gives its id.
fn exec(stage: &Stage<'_>, container: &str, command: &Value) -> Result<String, Wrong> {
    let body = json!({"AttachStdout": true, "AttachStderr": true, "Cmd": command});
    let created = stage.set_up(stage.request("POST", &format!("/containers/{container}/exec")).json(&body), &[201])?;
    let id = created.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned()));
    id.ok_or_else(|| Wrong::SetUp("exec create answers no Id".to_owned()))
}

/// What a stream carries to its end, which it must have.
fn output(stage: &Stage<'_>, mut stream: Conversation) -> Result<Vec<u8>, Wrong> {
    stream.allow(PATIENCE);
    let exchange: Exchange = stream.finish();
    let response = exchange.answer.as_ref().map_err(|error| Wrong::Not(error.to_string()));
    let bytes = response.and_then(|response| {
        holds(!response.left_early(), || "the stream does not end".to_owned())?;
        let frames = response.frames().ok();
        let framed = frames.map(|frames| frames.iter().flat_map(|frame| frame.payload.clone()).collect());
        Ok(framed.or_else(|| response.bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default())
    });
    if bytes.is_err() {
        stage.note(&exchange);
    }
    bytes
}

/// What a stream of events tells of one container.
fn statuses(body: &[u8], id: &str) -> Vec<Value> {
    let events = serde_json::Deserializer::from_slice(body).into_iter::<Value>().map_while(Result::ok);
    let own = events.filter(|event| event.get("id").and_then(Value::as_str) == Some(id));
    own.map(|event| event.get("status").cloned().unwrap_or_default()).collect()
}

/// Whether bytes are what the program of [`MUCH`] says.
fn is_much(whose: &str, bytes: &[u8]) -> Shown {
    let expected: String = (1..=200_000).map(|line| format!("{line}\n")).collect();
    let right = bytes.iter().zip(expected.as_bytes()).take_while(|(a, b)| a == b).count();
    holds(bytes == expected.as_bytes(), || {
        format!("{whose} has {} bytes of {}, right up to {right}", bytes.len(), expected.len())
    })
}

/// The last few bytes: a body that grows is not searched anew each time.
fn tail(body: &[u8]) -> &[u8] {
    &body[body.len().saturating_sub(4096)..]
}
