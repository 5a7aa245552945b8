//! A client at a container's streams.

use std::time::Duration;

use serde_json::json;

use super::{
    Check::{Live, Recorded},
    Scenario, Seen, Shown, holds,
    logs::contains,
};
use crate::exchange::{Content, Input};

const COMBINATIONS: &str = "containers.attach/combinations";
const STREAMS: &str = "containers.attach/streams";
const WEBSOCKET: &str = "containers.attach-ws/all";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "attach with logs gives what was written before",
        clauses: &["api.containers.attach.003", "api.containers.attach.007", "api.docker-run.004"],
        from: "",
        until: "",
        check: Recorded(COMBINATIONS, |seen| {
            begins(seen, "logs-both", 1, "out1\nout2\n")?;
            begins(seen, "logs-both", 2, "err1\n")?;
            holds(!seen.answer("logs-both")?.left_early(), || "it does not end".to_owned())
        }),
    },
    Scenario {
        name: "attach gives only the stream that is asked for",
        clauses: &[
            "api.containers.attach.012",
            "api.containers.attach.013",
            "api.containers.attach.015",
            "api.containers.attach.016",
        ],
        from: "",
        until: "",
        check: Recorded(COMBINATIONS, |seen| {
            begins(seen, "logs-stdout", 1, "out1\nout2\n")?;
            is(seen, "logs-stdout", 2, "")?;
            is(seen, "logs-stderr", 1, "")?;
            begins(seen, "logs-stderr", 2, "err1\n")
        }),
    },
    Scenario {
        name: "attach without logs gives nothing of the past",
        clauses: &["api.containers.attach.004"],
        from: "",
        until: "",
        check: Recorded(COMBINATIONS, |seen| {
            let answer = seen.answer("stream-exited")?;
            holds(answer.bytes().is_none_or(|bytes| bytes.is_empty()), || {
                "stream=1 of an ended container gives output".to_owned()
            })
        }),
    },
    Scenario {
        name: "attach streams live output byte by byte, multiplexed in frames",
        clauses: &[
            "api.containers.attach.002",
            "api.containers.attach.006",
            "api.containers.attach.019",
            "api.containers.attach.020",
            "api.containers.attach.021",
            "api.containers.attach.022",
            "api.containers.attach.023",
            "api.containers.attach.024",
            "api.containers.attach.026",
            "api.containers.attach.027",
            "api.containers.attach.028",
            "api.containers.attach.029",
            "api.containers.attach.030",
            "api.containers.attach.045",
            "api.hijacking.001",
            "api.intro.003",
            "ovw.general.009",
            "ovw.v1-6.001",
        ],
        from: "",
        until: "",
        check: Recorded(STREAMS, |seen| {
            ends(seen, "plain", 1, "out2\npartial")?;
            is(seen, "plain", 2, "err1\n")
        }),
    },
    Scenario {
        name: "attach answers 200 and takes the connection over",
        clauses: &["api.containers.attach.032", "api.containers.attach.033"],
        from: "",
        until: "",
        check: Recorded(STREAMS, |seen| {
            let answer = seen.with_status("plain", 200)?;
            let kind = answer.header("Content-Type").unwrap_or_default();
            holds(kind == "application/vnd.docker.raw-stream", || format!("its Content-Type is {kind:?}"))
        }),
    },
    Scenario {
        name: "an upgrade is answered 101 UPGRADED with the headers that asked for it",
        clauses: &[
            "api.containers.attach.031",
            "api.hijacking.003",
            "api.hijacking.004",
            "api.hijacking.005",
            "api.hijacking.006",
        ],
        from: "1.17",
        until: "",
        check: Recorded(STREAMS, |seen| {
            let answer = seen.with_status("upgrade", 101)?;
            let sent = (answer.header("Connection"), answer.header("Upgrade"));
            holds(answer.reason == "UPGRADED" && sent == (Some("Upgrade"), Some("tcp")), || {
                format!("it is {} {:?} with {sent:?}", answer.status, answer.reason)
            })?;
            ends(seen, "upgrade", 1, "out2\npartial")
        }),
    },
    Scenario {
        name: "stdin reaches the process, and its end ends the process while output still comes",
        clauses: &["api.containers.attach.009", "api.containers.create.040", "api.containers.create.041"],
        from: "",
        until: "",
        check: Recorded(STREAMS, |seen| {
            is(seen, "stdin-halfclose", 1, "hello\nworld\n")?;
            is(seen, "stdin-halfclose", 2, "done\n")
        }),
    },
    Scenario {
        name: "with a terminal the stream is raw",
        clauses: &["api.containers.attach.018", "api.containers.create.039"],
        from: "1.15",
        until: "",
        check: Recorded(STREAMS, |seen| {
            let text = seen.answer("stdin-tty")?.text().into_owned();
            holds(text.starts_with("hello\r\n") && text.contains("done\r\n"), || format!("the stream is {text:?}"))
        }),
    },
    Scenario {
        name: "a websocket carries output and input without frames of its own",
        clauses: &[
            "api.containers.attach-ws.002",
            "api.containers.attach-ws.003",
            "api.containers.attach-ws.007",
            "api.containers.attach-ws.010",
            "api.containers.attach-ws.013",
            "ovw.v1-6.002",
        ],
        from: "",
        until: "",
        check: Recorded(WEBSOCKET, |seen| {
            let answer = seen.with_status("stream", 101)?;
            // The answer to the key of the request, as RFC 6455 has it.
            let accept = answer.header("Sec-WebSocket-Accept");
            holds(accept == Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), || format!("Sec-WebSocket-Accept is {accept:?}"))?;
            let text = messages(answer);
            holds(text == "ping one\nping two\n", || format!("the messages hold {text:?}"))
        }),
    },
    Scenario {
        name: "a websocket with logs gives what was written before",
        clauses: &["api.containers.attach-ws.004", "api.containers.attach-ws.008"],
        from: "",
        until: "",
        check: Recorded(WEBSOCKET, |seen| {
            let text = messages(seen.with_status("logs", 101)?);
            holds(text == "ping one\nping two\n", || format!("the messages hold {text:?}"))?;
            let text = messages(seen.with_status("none", 101)?);
            holds(text.is_empty(), || format!("without logs and stream they hold {text:?}"))
        }),
    },
    Scenario {
        name: "bytes sent with the head of an attach are not lost",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let body =
                json!({"Image": "busybox", "Cmd": ["cat"], "OpenStdin": true, "StdinOnce": true, "AttachStdin": true});
            let container = stage.create("early", body)?;
            stage.start(&container)?;
            let target = format!("/v{}/containers/{container}/attach?stream=1&stdin=1&stdout=1", stage.version());
            let head = format!("POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\nearly\n");
            let request = crate::exchange::Request::literal(head.into_bytes())
                .stdin([Input::Pause(Duration::from_millis(300)), Input::HalfClose]);
            let exchange = stage.send_within(request, Duration::from_secs(8));
            let came = exchange
                .answer
                .as_ref()
                .ok()
                .and_then(|response| response.bytes().map(|bytes| contains(&bytes, b"early\n")));
            holds(came == Some(true), || "they did not come back".to_owned())
        }),
    },
    Scenario {
        name: "output that is no text comes through attach byte for byte",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("bytes", "sleep 0.4; printf '\\355\\253\\356\\333\\003'")?;
            stage.start(&container)?;
            let request = stage.request("POST", &format!("/containers/{container}/attach?stream=1&stdout=1"));
            let exchange = stage.send_within(request, Duration::from_secs(8));
            let frames = exchange
                .answer
                .as_ref()
                .ok()
                .and_then(|response| response.frames().ok().map(|frames| frames.into_owned()));
            let bytes: Vec<u8> = frames.iter().flatten().flat_map(|frame| frame.payload.clone()).collect();
            holds(bytes == [0o355, 0o253, 0o356, 0o333, 3], || format!("{bytes:02x?} came"))
        }),
    },
];

fn messages(response: &crate::exchange::Response) -> String {
    let Content::Messages(messages) = &response.content else { return String::new() };
    let of_output = messages.iter().filter(|message| matches!(message.opcode(), 1 | 2));
    of_output.map(|message| String::from_utf8_lossy(&message.payload).into_owned()).collect()
}

fn is(seen: &Seen<'_>, step: &str, stream: u8, expected: &str) -> Shown {
    let output = seen.output(step, stream)?;
    holds(output == expected, || format!("{step}: stream {stream} gives {output:?}, not {expected:?}"))
}

fn begins(seen: &Seen<'_>, step: &str, stream: u8, expected: &str) -> Shown {
    let output = seen.output(step, stream)?;
    holds(output.starts_with(expected), || format!("{step}: stream {stream} gives {output:?}"))
}

/// A client may come to a stream when its beginning is past.
fn ends(seen: &Seen<'_>, step: &str, stream: u8, expected: &str) -> Shown {
    let output = seen.output(step, stream)?;
    holds(output.ends_with(expected), || format!("{step}: stream {stream} gives {output:?}"))
}
