//! Commands in a running container.

use std::time::Duration;

use serde_json::json;

use super::{
    Check::{Live, Recorded},
    Scenario, holds,
};

const EXEC: &str = "exec/all";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "an exec's output comes in frames like that of attach",
        clauses: &[
            "api.exec.create.005",
            "api.exec.create.009",
            "api.exec.start.003",
            "api.exec.start.005",
            "api.exec.start.008",
            "api.exec.start.021",
        ],
        from: "1.15",
        until: "",
        check: Recorded(EXEC, |seen| {
            let output = seen.output("echo-start", 1)?;
            holds(output == "hi\n", || format!("its output is {output:?}"))
        }),
    },
    Scenario {
        name: "an exec tells stdout from stderr",
        clauses: &["api.exec.create.006"],
        from: "1.15",
        until: "",
        check: Recorded(EXEC, |seen| {
            let (out, err) = (seen.output("stderr-start", 1)?, seen.output("stderr-start", 2)?);
            holds(out == "o\n" && err == "e\n", || format!("stdout {out:?}, stderr {err:?}"))
        }),
    },
    Scenario {
        name: "an exec with a terminal streams raw",
        clauses: &["api.exec.create.007", "api.exec.start.007"],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("exec-raw", "sleep 1000")?;
            stage.start(&container)?;
            // A process that ends at once may take the end of its terminal's output with it.
            let body = json!({"AttachStdout": true, "AttachStderr": true, "Tty": true, "Cmd": ["sh", "-c", "echo out; sleep 0.3"]});
            let created =
                stage.set_up(stage.request("POST", &format!("/containers/{container}/exec")).json(&body), &[201])?;
            let id = created.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned())).unwrap_or_default();
            let start =
                stage.request("POST", &format!("/exec/{id}/start")).json(&json!({"Detach": false, "Tty": true}));
            let exchange = stage.send_within(start, Duration::from_secs(6));
            let text = exchange.answer.as_ref().map(|response| response.text().into_owned()).unwrap_or_default();
            holds(text == "out\r\n", || format!("the stream is {text:?}"))
        }),
    },
    Scenario {
        name: "an exec's stdin reaches the command",
        clauses: &["api.exec.create.004"],
        from: "1.15",
        until: "",
        check: Recorded(EXEC, |seen| {
            let output = seen.output("stdin-start", 1)?;
            holds(output.starts_with("abc\n"), || format!("its output is {output:?}"))
        }),
    },
    Scenario {
        name: "an ended exec tells its exit code and that it no longer runs",
        clauses: &["api.exec.inspect.003", "api.exec.inspect.006"],
        from: "1.16",
        until: "",
        check: Recorded(EXEC, |seen| {
            let (running, code) =
                (seen.at("exit-3-inspect-after", "/Running")?, seen.at("exit-3-inspect-after", "/ExitCode")?);
            holds(running == false && code == 3, || format!("Running {running}, ExitCode {code}"))
        }),
    },
    Scenario {
        name: "a detached exec answers at once and without output",
        clauses: &["api.exec.start.004", "api.exec.start.006"],
        from: "1.15",
        until: "",
        check: Recorded(EXEC, |seen| {
            let answer = seen.answer("detach-start")?;
            let empty = answer.bytes().is_some_and(|bytes| bytes.is_empty());
            holds(answer.status < 300 && empty && !answer.left_early(), || format!("it answers {}", answer.status))
        }),
    },
    Scenario {
        name: "an exec needs a running container",
        clauses: &["api.exec.create.003"],
        from: "1.15",
        until: "",
        check: Recorded(EXEC, |seen| {
            let status = seen.answer("create-stopped")?.status;
            holds(status >= 400, || format!("on a stopped one create answers {status}"))
        }),
    },
    Scenario {
        name: "an exec's terminal is resized",
        clauses: &["api.exec.resize.003", "api.exec.resize.006", "api.exec.resize.007"],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("exec-tty", "sleep 1000")?;
            stage.start(&container)?;
            let body = json!({"AttachStdin": true, "AttachStdout": true, "Tty": true, "Cmd": ["sh", "-c", "read x; stty size"]});
            let created =
                stage.set_up(stage.request("POST", &format!("/containers/{container}/exec")).json(&body), &[201])?;
            let id = created.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned())).unwrap_or_default();
            let start =
                stage.request("POST", &format!("/exec/{id}/start")).json(&json!({"Detach": false, "Tty": true}));
            let mut stream = stage.open(start, Duration::from_secs(10));
            stream.await_head();
            let resize = || stage.request("POST", &format!("/exec/{id}/resize?h=33&w=77"));
            let resized =
                stage.until(Duration::from_secs(3), |stage| Ok(stage.send(resize()).status() == Some(200)))?;
            stream.write(b"\n");
            let exchange = stream.finish();
            stage.note(&exchange);
            let text = exchange.answer.as_ref().map(|response| response.text().into_owned()).unwrap_or_default();
            holds(resized && text.contains("33 77"), || format!("the terminal says {text:?}"))
        }),
    },
    Scenario {
        name: "an exec with stdin ends when its command does, though the client sends nothing",
        clauses: &[],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("exec-end", "sleep 1000")?;
            stage.start(&container)?;
            let body = json!({"AttachStdin": true, "AttachStdout": true, "Cmd": ["echo", "x"]});
            let created =
                stage.set_up(stage.request("POST", &format!("/containers/{container}/exec")).json(&body), &[201])?;
            let id = created.json().and_then(|body| Some(body.get("Id")?.as_str()?.to_owned())).unwrap_or_default();
            let start = stage.request("POST", &format!("/exec/{id}/start")).json(&json!({"Detach": false}));
            let exchange = stage.send_within(start, Duration::from_secs(6));
            let ended = exchange.answer.as_ref().is_ok_and(|response| !response.left_early());
            holds(ended, || "the stream does not end".to_owned())
        }),
    },
];
