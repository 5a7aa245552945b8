//! The daemon dies, the shim dies, a step fails: nothing is lost, nothing is left.

use crate::house::*;
use drydock_shim_protocol::{Answer, ClientError, Event, Exit, InitStatus, Process, Refusal, Request, ShimClient};
use std::fs;

fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Lets go of the daemon's connection, as a kill of the daemon does, and comes back as the next one.
fn lose_daemon(life: &mut Life) {
    let again = life.reconnect();
    drop(std::mem::replace(&mut life.client, again));
}

#[test]
fn a_container_lives_on_without_its_daemon_and_tells_the_next_one() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let client = life.attach(Process::Init, Wish::raw());
    let mut spec = life.shell("read x; echo $x; read y; echo $y; exit 5");
    spec.process.stdin = true;
    let pid = life.start(spec);
    lose_daemon(&mut life);
    std::io::Write::write_all(&mut &client, b"one\n").unwrap();
    assert_eq!(read_until(&client, "one\n"), "one\n");
    let Answer::Status(status) = life.client.call(Request::Subscribe).unwrap() else { panic!() };
    assert!(matches!(status.init, InitStatus::Running { pid: now, .. } if now == pid));
    std::io::Write::write_all(&mut &client, b"two\n").unwrap();
    assert_eq!(life.exit(), Exit::Code(5));
    assert_eq!(life.logged(None), "one\ntwo\n");
    life.end();
}

#[test]
fn a_client_held_by_a_daemon_that_died_is_let_go_and_holds_up_nothing() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let client = life.attach(Process::Init, Wish { hold: true, ..Wish::output() });
    let mut spec = life.shell("seq 1 300000; echo done >/tmp/done; sleep 1000");
    spec.log.driver = "none".into();
    life.start(spec);
    lose_daemon(&mut life);
    assert_eq!(read_all(&client), b"");
    until("the program", || life.dir.join("rootfs/tmp/done").exists());
    life.client.call(Request::Subscribe).unwrap();
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    assert_eq!(life.exit(), Exit::Signal(9));
    life.end();
}

#[test]
fn output_is_whole_in_log_and_client_when_daemons_come_and_go() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let client = life.attach(Process::Init, Wish::raw());
    let spec = life.shell("seq 1 1000000");
    life.start(spec);
    let reader = std::thread::spawn(move || read_all(&client));
    for _ in 0..20 {
        lose_daemon(&mut life);
        life.client.call(Request::SyncLog).unwrap();
    }
    let taken = reader.join().unwrap();
    let expect: String = (1..=1_000_000).map(|n| format!("{n}\n")).collect();
    assert!(taken == expect.as_bytes(), "the client lost something");
    until("the log", || {
        fs::metadata(life.log_path()).unwrap().len() > 7_000_000 && life.logged(None).len() == expect.len()
    });
    assert!(life.logged(None) == expect, "the log lost something");
    life.end();
}

#[test]
fn an_exit_while_nobody_listened_is_known_later() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("echo words; exit 9");
    life.start(spec);
    lose_daemon(&mut life);
    let status = |life: &mut Life| match life.client.call(Request::Status).unwrap() {
        Answer::Status(status) => status.init,
        other => panic!("{other:?}"),
    };
    until("the exit", || matches!(status(&mut life), InitStatus::Exited { exit: Exit::Code(9), .. }));
    assert_eq!(life.logged(None), "words\n");
    life.end();
}

#[test]
fn a_shim_whose_daemon_dies_before_the_start_ends() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let other = Life::begin();
    let pid = life.client.hello().pid;
    life.client = other.reconnect();
    until("the shim's end", || !alive(pid));
    assert!(!life.dir.join("shim.sock").exists());
}

#[test]
fn a_killed_shim_takes_its_container_along_and_nothing_is_left_after_a_cleanup() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("trap '' HUP INT TERM; sleep 1000 & while :; do sleep 1; done");
    let pid = life.start(spec);
    life.exec("e", process(&["sleep", "1000"])).unwrap();
    life.kill_shim();
    assert!(matches!(life.client.event(), Err(ClientError::Gone | ClientError::Io(_))));
    until("the container's end", || !alive(pid));
    life.clean_up();
    life.assert_nothing_is_left();
    life.clean_up();
}

#[test]
fn a_frozen_container_of_a_killed_shim_is_cleaned_up_too() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.spec(&["sleep", "1000"]);
    let pid = life.start(spec);
    life.client.call(Request::Pause).unwrap();
    life.kill_shim();
    life.clean_up();
    assert!(!alive(pid));
    life.assert_nothing_is_left();
}

#[test]
fn two_daemons_get_each_event_once_each() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("exit 4");
    let mut second: ShimClient = life.reconnect();
    second.call(Request::Subscribe).unwrap();
    life.start(spec);
    assert!(matches!(second.event().unwrap(), Event::Exited { exit: Exit::Code(4), .. }));
    assert_eq!(life.exit(), Exit::Code(4));
    life.end();
}

/// All steps of a start that change something.
const STEPS: [&str; 11] = [
    "runtime.cgroup.make",
    "runtime.cgroup.limits",
    "runtime.clone",
    "runtime.namespaces",
    "runtime.mounts.sources",
    "runtime.mounts.pivot",
    "runtime.mounts.targets",
    "runtime.mounts.devices",
    "runtime.mounts.protect",
    "runtime.credentials",
    "runtime.exec",
];

#[test]
fn a_failure_at_any_step_of_a_start_leaves_nothing() {
    if !can_live() {
        return;
    }
    for step in STEPS {
        let mut life = Life::begin_with_fault(&format!("{step}=fail:28"));
        let spec = life.spec(&["true"]);
        match life.client.call(Request::Start(Box::new(spec))) {
            Err(ClientError::Refused(Refusal::Failed(failure))) => {
                assert!(failure.to_string().contains(step) && failure.to_string().contains("28"), "{failure}");
            }
            other => panic!("{step}: {other:?}"),
        }
        life.end();
    }
}

#[test]
fn a_kill_at_any_step_of_a_start_leaves_nothing_after_a_cleanup() {
    if !can_live() {
        return;
    }
    for step in STEPS {
        let mut life = Life::begin_with_fault(&format!("{step}=kill"));
        let spec = life.spec(&["true"]);
        let result = life.client.call(Request::Start(Box::new(spec)));
        assert!(result.is_err(), "{step}: {result:?}");
        // In the child it is a start that failed; in the shim it is the shim's end.
        match result {
            Err(ClientError::Refused(_)) => life.end(),
            _ => {
                life.clean_up();
                life.assert_nothing_is_left();
            }
        }
    }
}
