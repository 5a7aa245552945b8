//! What a container wrote, read back.

use std::time::Duration;

use super::{
    Check::{Live, Recorded},
    Scenario, Seen, Shown, holds,
};

const EXITED: &str = "containers.logs/exited";
const OTHER: &str = "containers.logs/other-states";
/// What the recorded container writes before its last line, which has no newline.
const LINES: &str = "line1\nline2\nline3\nline4\nline5\n";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "logs hold both streams, each frame told apart",
        clauses: &[
            "api.containers.logs.002",
            "api.containers.logs.008",
            "api.containers.logs.011",
            "api.containers.logs.035",
        ],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| {
            begins(seen, "both", 1, LINES)?;
            is(seen, "both", 2, "err\n")
        }),
    },
    Scenario {
        name: "logs hold only the stream that is asked for",
        clauses: &["api.containers.logs.009", "api.containers.logs.012"],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| {
            begins(seen, "stdout", 1, LINES)?;
            is(seen, "stdout", 2, "")?;
            is(seen, "stderr", 1, "")?;
            is(seen, "stderr", 2, "err\n")?;
            is(seen, "false", 1, "")
        }),
    },
    Scenario {
        name: "every spelling of true asks for a stream",
        clauses: &["api.containers.logs.008"],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| ["true", "True"].iter().try_for_each(|step| begins(seen, step, 1, LINES))),
    },
    Scenario {
        name: "tail gives the last lines and all of them when asked",
        clauses: &["api.containers.logs.019", "api.containers.logs.020"],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| {
            begins(seen, "tail-all", 1, LINES)?;
            begins(seen, "tail-99", 1, LINES)?;
            let frames = seen.frames("tail-3")?;
            let lines: usize = frames.iter().map(|frame| String::from_utf8_lossy(&frame.payload).lines().count()).sum();
            holds((1..=3).contains(&lines), || format!("tail-3 has {lines} lines"))?;
            is(seen, "tail-0", 1, "")
        }),
    },
    Scenario {
        name: "timestamps stand before every line and nowhere else",
        clauses: &["api.containers.logs.014", "api.containers.logs.015"],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| {
            let stamped = seen.output("timestamps", 1)?;
            let all = stamped.lines().filter(|line| !line.is_empty()).all(|line| {
                line.split_once(' ')
                    .is_some_and(|(time, rest)| time.parse::<jiff::Timestamp>().is_ok() && !rest.is_empty())
            });
            holds(all && stamped.contains("line5"), || format!("timestamps=1 gives {stamped:?}"))?;
            begins(seen, "stdout", 1, LINES)
        }),
    },
    Scenario {
        name: "without follow the logs end at what is there",
        clauses: &["api.containers.logs.006"],
        from: "",
        until: "",
        check: Recorded(EXITED, |seen| {
            let ended = !seen.answer("stdout")?.left_early();
            holds(ended, || "the answer goes on".to_owned())
        }),
    },
    Scenario {
        name: "since leaves out what was written before",
        clauses: &["api.containers.logs.017", "ovw.v1-19.004"],
        from: "1.19",
        until: "",
        check: Recorded(EXITED, |seen| {
            is(seen, "since-future", 1, "")?;
            begins(seen, "since-past", 1, LINES)
        }),
    },
    Scenario {
        name: "logs of a container with a terminal are raw",
        clauses: &[],
        from: "1.16",
        until: "",
        check: Recorded(OTHER, |seen| {
            let text = seen.answer("tty-both")?.text().replace('\r', "");
            holds(text.starts_with("tty-out\ntty-err\n"), || format!("tty-both gives {text:?}"))
        }),
    },
    Scenario {
        name: "follow sends output as it comes and ends with the container",
        clauses: &["api.containers.logs.005"],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("follow", "echo first; sleep 0.7; echo second")?;
            stage.start(&container)?;
            let request = stage.request("GET", &format!("/containers/{container}/logs?stdout=1&follow=1"));
            let mut reading = stage.open(request, Duration::from_secs(15));
            let first = reading.await_body(|body| contains(body, b"first\n"));
            let early = !contains(reading.body(), b"second");
            let both = reading.await_body(|body| contains(body, b"second\n"));
            reading.allow(Duration::from_secs(5));
            let exchange = reading.finish();
            stage.note(&exchange);
            holds(first && early && both, || "the lines did not come one after the other".to_owned())?;
            let ended = exchange.answer.as_ref().is_ok_and(|response| !response.left_early());
            holds(ended, || "the stream goes on after the container has ended".to_owned())
        }),
    },
    Scenario {
        name: "the last line is kept though it has no newline",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("last", "printf 'a\\nlast'")?;
            stage.start(&container)?;
            stage.wait(&container)?;
            let log = String::from_utf8_lossy(&stage.log(&container, 1)?).into_owned();
            holds(log == "a\nlast" || log == "a\nlast\n", || format!("the log is {log:?}"))
        }),
    },
    Scenario {
        name: "bytes that are no text do not spoil the log",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("binary", "printf '\\355\\253\\356\\333\\003\\n'; echo after")?;
            stage.start(&container)?;
            stage.wait(&container)?;
            let log = String::from_utf8_lossy(&stage.log(&container, 1)?).into_owned();
            holds(log == "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{3}\nafter\n", || format!("the log is {log:?}"))
        }),
    },
    Scenario {
        name: "a very long line is logged whole and so is what follows",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let long = "head -c 70000 /dev/zero | tr '\\0' x; echo; head -c 300000 /dev/zero | tr '\\0' y";
            let container = stage.shell("long", &format!("echo a; {long}; echo; echo b"))?;
            stage.start(&container)?;
            stage.wait(&container)?;
            let log = stage.log(&container, 1)?;
            let expected =
                [b"a\n".to_vec(), vec![b'x'; 70000], b"\n".to_vec(), vec![b'y'; 300_000], b"\nb\n".to_vec()].concat();
            holds(log == expected, || format!("{} bytes came of {}", log.len(), expected.len()))
        }),
    },
];

pub(super) fn contains(body: &[u8], words: &[u8]) -> bool {
    body.windows(words.len()).any(|window| window == words)
}

fn is(seen: &Seen<'_>, step: &str, stream: u8, expected: &str) -> Shown {
    let output = seen.output(step, stream)?;
    holds(output == expected, || format!("{step}: stream {stream} gives {output:?}, not {expected:?}"))
}

fn begins(seen: &Seen<'_>, step: &str, stream: u8, expected: &str) -> Shown {
    let output = seen.output(step, stream)?;
    holds(output.starts_with(expected), || format!("{step}: stream {stream} gives {output:?}, not {expected:?} first"))
}
