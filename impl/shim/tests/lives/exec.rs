//! More programs in a running container.

use crate::house::*;
use drydock_shim_protocol::{Answer, ClientError, Event, Exit, Failure, InputEnd, Process, Refusal, Request, Streams};
use std::io::Write;
use std::net::Shutdown;

fn running() -> Life {
    let mut life = Life::begin();
    let spec = life.spec(&["sleep", "1000"]);
    life.start(spec);
    life
}

fn end(mut life: Life) {
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    assert_eq!(life.exit(), Exit::Signal(9));
    life.end();
}

fn exec_exit(life: &mut Life, wanted: &str) -> Exit {
    loop {
        if let Event::ExecExited { exec, exit, .. } = life.client.event().unwrap() {
            assert_eq!(exec, wanted);
            return exit;
        }
    }
}

#[test]
fn an_exec_is_in_the_container_and_its_exit_code_is_kept_until_forgotten() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let exec = Process::Exec("e".into());
    let client = life.attach(exec.clone(), Wish::output());
    let script = "hostname; ps -o comm | head -n 2 | tail -n 1; cat /proc/self/cgroup | grep -c freezer.*$ID; echo bad >&2; exit 3";
    let mut process = process(&["sh", "-c", script]);
    process.env.push(format!("ID={}", life.id));
    life.exec("e", process).unwrap();
    let streams = unframe(&read_all(&client));
    assert_eq!(String::from_utf8_lossy(&streams[&1]), "inside\nsleep\n1\n");
    assert_eq!(streams[&2], b"bad\n");
    assert_eq!(exec_exit(&mut life, "e"), Exit::Code(3));
    // A daemon that comes later learns of it, until one has said that it knows.
    let Answer::Status(status) = life.reconnect().call(Request::Status).unwrap() else { panic!() };
    assert_eq!(status.execs[0].exited.map(|(exit, _)| exit), Some(Exit::Code(3)));
    life.client.call(Request::Forget { exec: "e".into() }).unwrap();
    let Answer::Status(status) = life.client.call(Request::Status).unwrap() else { panic!() };
    assert!(status.execs.is_empty());
    end(life);
}

#[test]
fn an_exec_takes_input_to_its_end() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let client = life.attach_with(Process::Exec("e".into()), Wish::raw(), b"first ");
    let mut process = process(&["cat"]);
    process.stdin = true;
    life.exec("e", process).unwrap();
    (&client).write_all(b"second").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&client), b"first second");
    assert_eq!(exec_exit(&mut life, "e"), Exit::Code(0));
    end(life);
}

#[test]
fn an_exec_on_a_terminal_sees_its_window() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let exec = Process::Exec("e".into());
    let client = life.attach(exec.clone(), Wish::raw());
    let mut process = process(&["sh", "-c", "read x; stty size"]);
    (process.tty, process.stdin) = (true, true);
    life.exec("e", process).unwrap();
    life.client.call(Request::Resize { process: exec, rows: 12, columns: 34 }).unwrap();
    (&client).write_all(b"\n").unwrap();
    read_until(&client, "12 34\r\n");
    assert_eq!(exec_exit(&mut life, "e"), Exit::Code(0));
    end(life);
}

#[test]
fn a_failed_exec_leaves_the_clients_socket_to_the_engine() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let client = life.attach(Process::Exec("e".into()), Wish::raw());
    let copy = client.try_clone().unwrap();
    match life.exec("e", process(&["nosuch"])) {
        Err(ClientError::Refused(Refusal::Failed(failure))) => {
            assert_eq!(failure, Failure::ExecutableNotInPath("nosuch".into()));
        }
        other => panic!("{other:?}"),
    }
    drop(copy);
    // The name is free again.
    life.exec("e", process(&["true"])).unwrap();
    assert_eq!(exec_exit(&mut life, "e"), Exit::Code(0));
    end(life);
}

#[test]
fn an_exec_is_refused_while_frozen_and_after_the_end() {
    if !can_live() {
        return;
    }
    let mut life = running();
    life.client.call(Request::Pause).unwrap();
    let refused = life.exec("e", process(&["true"]));
    assert!(matches!(refused, Err(ClientError::Refused(Refusal::NotRunning))), "{refused:?}");
    life.client.call(Request::Unpause).unwrap();
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    life.exit();
    let refused = life.exec("e", process(&["true"]));
    assert!(matches!(refused, Err(ClientError::Refused(Refusal::NotRunning))), "{refused:?}");
    life.end();
}

#[test]
fn execs_end_with_their_container_and_are_told_first() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let output =
        Wish { streams: Streams { stdout: true, ..Streams::default() }, input_end: InputEnd::Ignore, ..Wish::raw() };
    let client = life.attach(Process::Exec("e".into()), output);
    life.exec("e", process(&["sh", "-c", "echo here; sleep 1000"])).unwrap();
    read_until(&client, "here\n");
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    assert_eq!(exec_exit(&mut life, "e"), Exit::Signal(9));
    assert_eq!(read_all(&client), b"");
    assert_eq!(life.exit(), Exit::Signal(9));
    life.end();
}

#[test]
fn what_an_exec_leaves_running_keeps_its_client() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let client = life.attach(Process::Exec("e".into()), Wish::output());
    life.exec("e", process(&["sh", "-c", "(read x </tmp/gate; echo child) & echo parent"]))
        .unwrap_or_else(|e| panic!("{e}"));
    // The gate is a file that does not exist: the child ends at once or not, and its words come either way.
    assert_eq!(exec_exit(&mut life, "e"), Exit::Code(0));
    let streams = unframe(&read_all(&client));
    assert!(String::from_utf8_lossy(&streams[&1]).contains("child\n"));
    end(life);
}

#[test]
fn a_thousand_execs_leave_nothing() {
    if !can_live() {
        return;
    }
    let mut life = running();
    let descriptors = |life: &Life| std::fs::read_dir(format!("/proc/{}/fd", life.client.hello().pid)).unwrap().count();
    let before = descriptors(&life);
    for n in 0..1000 {
        let id = format!("e{n}");
        let client = life.attach(Process::Exec(id.clone()), Wish::output());
        life.exec(&id, process(&["true"])).unwrap();
        assert_eq!(read_all(&client), b"");
        assert_eq!(exec_exit(&mut life, &id), Exit::Code(0));
        life.client.call(Request::Forget { exec: id }).unwrap();
    }
    assert_eq!(descriptors(&life), before);
    end(life);
}
