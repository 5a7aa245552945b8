//! A container's states: started, stopped, killed, restarted, paused, waited for, removed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Check::{Live, Recorded},
    Scenario, holds,
};

const STATES: &str = "containers.inspect/states";
const START_STOP: &str = "containers.start-stop/states";
const DELETE: &str = "containers.delete/all";
const KILL: &str = "containers.kill/signals";
const WAIT: &str = "containers.wait/all";
const RESTART: &str = "containers.restart-policy/behaviour";

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a started container runs and has a process",
        clauses: &["api.containers.start.002", "api.docker-run.003"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            let (running, pid) = (seen.at("running", "/State/Running")?, seen.at("running", "/State/Pid")?);
            holds(running == true && pid.as_i64().is_some_and(|pid| pid > 0), || {
                format!("Running {running}, Pid {pid}")
            })
        }),
    },
    Scenario {
        name: "a container that does not run has pid 0",
        clauses: &["api.containers.inspect.006"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            for step in ["created", "exited"] {
                let pid = seen.at(step, "/State/Pid")?;
                holds(pid == 0, || format!("{step}: Pid {pid}"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "starting what runs is 304 and changes nothing",
        clauses: &["api.containers.start.004"],
        from: "",
        until: "",
        check: Recorded(START_STOP, |seen| seen.with_status("start-again", 304).map(|_| ())),
    },
    Scenario {
        name: "stopping what is stopped is 304",
        clauses: &["api.containers.stop.004"],
        from: "",
        until: "",
        check: Recorded(START_STOP, |seen| seen.with_status("stop-again", 304).map(|_| ())),
    },
    Scenario {
        name: "a stopped container no longer runs",
        clauses: &["api.containers.stop.002"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            seen.with_status("stop", 204)?;
            let running = seen.at("exited", "/State/Running")?;
            holds(running == false, || format!("Running {running}"))
        }),
    },
    Scenario {
        name: "a restarted container runs again in another process",
        clauses: &["api.containers.restart.002"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            let (running, started) =
                (seen.at("restarted", "/State/Running")?, seen.at("restarted", "/State/StartedAt")?);
            let before = seen.at("running", "/State/StartedAt")?;
            holds(running == true && started != before, || {
                format!("Running {running}, StartedAt {started}, before {before}")
            })
        }),
    },
    Scenario {
        name: "a paused container says so, and an unpaused one no longer",
        clauses: &["api.containers.pause.002", "api.containers.unpause.002"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            let paused = seen.at("paused", "/State/Paused")?;
            holds(paused == true, || format!("Paused {paused}"))?;
            seen.with_status("unpause", 204)?;
            let paused = seen.at("exited", "/State/Paused")?;
            holds(paused == false, || format!("after unpause Paused {paused}"))
        }),
    },
    Scenario {
        name: "a killed container is ended when kill answers",
        clauses: &["api.containers.kill.002", "api.containers.kill.006"],
        from: "",
        until: "",
        check: Recorded(STATES, |seen| {
            seen.with_status("kill", 204)?;
            let running = seen.at("killed", "/State/Running")?;
            holds(running == false, || format!("Running {running}"))
        }),
    },
    Scenario {
        name: "signals are taken by name and by number",
        clauses: &["api.containers.kill.003", "api.containers.kill.004"],
        from: "",
        until: "",
        check: Recorded(KILL, |seen| {
            for step in ["signal-HUP", "signal-SIGHUP", "signal-1", "signal-USR1", "signal-10"] {
                seen.with_status(step, 204)?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "wait answers when the container has ended, with its exit code",
        clauses: &["api.containers.wait.002"],
        from: "",
        until: "",
        check: Recorded(WAIT, |seen| {
            for step in ["wait-running", "wait-exited"] {
                let code = seen.at(step, "/StatusCode")?;
                holds(code == 42, || format!("{step}: StatusCode {code}"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "a running container is removed by force only",
        clauses: &["api.containers.remove.006", "api.containers.remove.007", "ovw.v1-10.003", "ovw.v1-14.001"],
        from: "",
        until: "",
        check: Recorded(DELETE, |seen| {
            for step in ["running", "running-force-0"] {
                let status = seen.answer(step)?.status;
                holds(status >= 400, || format!("{step} answers {status}"))?;
            }
            seen.with_status("running-force", 204).map(|_| ())
        }),
    },
    Scenario {
        name: "a removed container is gone",
        clauses: &["api.containers.remove.002"],
        from: "",
        until: "",
        check: Recorded(DELETE, |seen| {
            seen.with_status("created", 204)?;
            seen.with_status("again", 404).map(|_| ())
        }),
    },
    Scenario {
        name: "on-failure restarts so often as it is told, and counts",
        clauses: &[
            "api.containers.create.078",
            "api.containers.create.080",
            "api.containers.create.081",
            "api.containers.inspect.012",
        ],
        from: "1.17",
        until: "",
        check: Recorded(RESTART, |seen| {
            let (running, count) =
                (seen.at("on-failure-inspect", "/State/Running")?, seen.at("on-failure-inspect", "/RestartCount")?);
            holds(running == false && count.as_i64().is_some_and(|count| (1..=2).contains(&count)), || {
                format!("Running {running}, RestartCount {count}")
            })
        }),
    },
    Scenario {
        name: "a signal reaches the process",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let line = "trap 'echo hup' HUP; trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
            let container = stage.shell("signals", line)?;
            stage.start(&container)?;
            let log = |stage: &super::Stage<'_>, word: &str| {
                Ok(String::from_utf8_lossy(&stage.log(&container, 1)?).contains(word))
            };
            stage.until(Duration::from_secs(5), |stage| log(stage, "ready"))?;
            for (signal, word) in [("HUP", "hup"), ("10", "usr1")] {
                let request = stage.request("POST", &format!("/containers/{container}/kill?signal={signal}"));
                stage.expect(request, 204)?;
                let seen = stage.until(Duration::from_secs(5), |stage| log(stage, word))?;
                holds(seen, || format!("{signal} does not arrive"))?;
            }
            Ok(())
        }),
    },
    Scenario {
        name: "stop waits so many seconds and then kills",
        clauses: &["api.containers.stop.003"],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("deaf", "trap '' TERM; while :; do sleep 0.05; done")?;
            stage.start(&container)?;
            let begun = Instant::now();
            stage.expect(stage.request("POST", &format!("/containers/{container}/stop?t=1")), 204)?;
            let took = begun.elapsed();
            holds(took >= Duration::from_millis(900), || format!("it answers after {} ms", took.as_millis()))?;
            holds(took < Duration::from_secs(8), || format!("it answers after {} s", took.as_secs()))?;
            let running = stage.inspect(&container, "/State/Running")?;
            holds(running == false, || format!("Running {running}"))
        }),
    },
    Scenario {
        name: "restart waits so many seconds and then kills",
        clauses: &["api.containers.restart.003"],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("deaf2", "trap '' TERM; while :; do sleep 0.05; done")?;
            stage.start(&container)?;
            let begun = Instant::now();
            stage.expect(stage.request("POST", &format!("/containers/{container}/restart?t=1")), 204)?;
            let took = begun.elapsed();
            holds(took >= Duration::from_millis(900), || format!("it answers after {} ms", took.as_millis()))?;
            let running = stage.inspect(&container, "/State/Running")?;
            holds(running == true, || format!("Running {running}"))
        }),
    },
    Scenario {
        name: "a paused container refuses stop, kill and removal, and stays paused",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("paused", "sleep 1000")?;
            stage.start(&container)?;
            stage.set_up(stage.request("POST", &format!("/containers/{container}/pause")), &[204])?;
            for (method, what) in [("POST", "/stop?t=1"), ("POST", "/kill"), ("DELETE", "?force=1")] {
                let exchange = stage.send(stage.request(method, &format!("/containers/{container}{what}")));
                let response = exchange.answer.map_err(|error| super::Wrong::Not(format!("{what}: {error}")))?;
                let text = response.text().into_owned();
                holds(response.status == 500 && text.contains("pause"), || {
                    format!("{what} answers {} {text:?}", response.status)
                })?;
            }
            let paused = stage.inspect(&container, "/State/Paused")?;
            holds(paused == true, || format!("Paused {paused}"))?;
            stage.expect(stage.request("POST", &format!("/containers/{container}/unpause")), 204)?;
            stage.expect(stage.request("DELETE", &format!("/containers/{container}?force=1")), 204).map(|_| ())
        }),
    },
    Scenario {
        name: "stop ends a restart loop, and removal needs force while it turns",
        clauses: &["api.containers.create.079", "api.containers.create.010"],
        from: "",
        until: "",
        check: Live(|stage| {
            let policy = json!({"RestartPolicy": {"Name": "always"}});
            let container =
                stage.create("loop", json!({"Image": "busybox", "Cmd": ["false"], "HostConfig": policy}))?;
            // 1.14 reads the policy at the start.
            stage.set_up(stage.request("POST", &format!("/containers/{container}/start")).json(&policy), &[204])?;
            let counts = |stage: &super::Stage<'_>| {
                Ok(stage.inspect(&container, "/RestartCount")?.as_i64().is_some_and(|count| count >= 2))
            };
            let turned = stage.until(Duration::from_secs(8), counts)?;
            holds(turned || stage.inspect(&container, "/RestartCount")?.is_null(), || {
                "it is not restarted".to_owned()
            })?;
            stage.expect(stage.request("POST", &format!("/containers/{container}/stop?t=1")), 204)?;
            let before = stage.inspect(&container, "/RestartCount")?;
            std::thread::sleep(Duration::from_millis(1500));
            let (running, after) =
                (stage.inspect(&container, "/State/Running")?, stage.inspect(&container, "/RestartCount")?);
            holds(running == false && before == after, || {
                format!("Running {running}, RestartCount {before} then {after}")
            })
        }),
    },
    Scenario {
        name: "of many removals at once one succeeds and none is an error",
        clauses: &[],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("cleaners", "sleep 1000")?;
            stage.start(&container)?;
            let statuses: Vec<Option<u16>> = std::thread::scope(|scope| {
                let remove = || stage.request("DELETE", &format!("/containers/{container}?force=1"));
                let requests: Vec<_> = (0..8).map(|_| remove()).collect();
                let client = stage.client();
                let threads: Vec<_> =
                    requests.into_iter().map(|request| scope.spawn(move || client.send(request).status())).collect();
                threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
            });
            let fine = statuses.iter().all(|status| matches!(status, Some(204 | 404))) && statuses.contains(&Some(204));
            holds(fine, || format!("they answer {statuses:?}"))
        }),
    },
    Scenario {
        name: "a restart delay grows, so that a failing container does not spin",
        clauses: &["api.containers.create.014", "api.containers.create.083"],
        from: "",
        until: "",
        check: Live(|stage| {
            let policy = json!({"RestartPolicy": {"Name": "always"}});
            let container = stage.create(
                "delay",
                json!({"Image": "busybox", "Cmd": ["sh", "-c", "echo ran; exit 1"], "HostConfig": policy}),
            )?;
            stage.set_up(stage.request("POST", &format!("/containers/{container}/start")).json(&policy), &[204])?;
            std::thread::sleep(Duration::from_secs(3));
            let runs = stage.log(&container, 1)?.iter().filter(|byte| **byte == b'\n').count();
            stage.send(stage.request("POST", &format!("/containers/{container}/stop?t=1")));
            // 0.1, 0.2, 0.4, 0.8, 1.6 s: within three seconds five or six starts.
            holds((2..=8).contains(&runs), || format!("it ran {runs} times in three seconds"))
        }),
    },
    Scenario {
        name: "without a policy an ended container stays ended",
        clauses: &["api.containers.create.013", "api.containers.create.082", "api.containers.start.026"],
        from: "",
        until: "",
        check: Live(|stage| {
            let container = stage.shell("once", "exit 3")?;
            stage.start(&container)?;
            let code = stage.wait(&container)?;
            std::thread::sleep(Duration::from_millis(600));
            let running = stage.inspect(&container, "/State/Running")?;
            let count = stage.inspect(&container, "/RestartCount")?;
            holds(code == 3 && running == false && (count == 0 || count == Value::Null), || {
                format!("code {code}, Running {running}, RestartCount {count}")
            })
        }),
    },
    Scenario {
        name: "a start without a body keeps what create said, one with a body replaces it",
        clauses: &[],
        from: "1.15",
        until: "",
        check: Live(|stage| {
            let host = json!({"Dns": ["192.0.2.9"]});
            let kept = stage.create("kept", json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": host}))?;
            stage.start(&kept)?;
            let dns = stage.inspect(&kept, "/HostConfig/Dns")?;
            holds(dns == json!(["192.0.2.9"]), || format!("without a body Dns is {dns}"))?;
            let replaced =
                stage.create("replaced", json!({"Image": "busybox", "Cmd": ["true"], "HostConfig": host}))?;
            let body = json!({"PublishAllPorts": true});
            stage.set_up(stage.request("POST", &format!("/containers/{replaced}/start")).json(&body), &[204])?;
            let dns = stage.inspect(&replaced, "/HostConfig/Dns")?;
            holds(dns.is_null() || dns == json!([]), || format!("with a body Dns is {dns}"))
        }),
    },
];
