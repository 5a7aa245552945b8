//! Attach: framing, input, several clients, slow ones.

use crate::house::*;
use drydock_shim_protocol::{Answer, Event, Exit, InputEnd, Process, Request, Streams};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

fn interactive(life: &Life, script: &str) -> drydock_shim_protocol::ContainerSpec {
    let mut spec = life.shell(script);
    spec.process.stdin = true;
    spec
}

#[test]
fn a_client_attached_before_the_start_gets_every_byte_in_frames() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let client = life.attach(Process::Init, Wish::output());
    let stream = life.client.serial();
    let spec = life.shell("echo one; echo two >&2; echo three");
    life.start(spec);
    let streams = unframe(&read_all(&client));
    assert_eq!(streams[&1], b"one\nthree\n");
    assert_eq!(streams[&2], b"two\n");
    assert_eq!(life.client.event().unwrap(), Event::StreamEnded { stream });
    assert!(matches!(life.client.event().unwrap(), Event::Exited { exit: Exit::Code(0), .. }));
    let length = std::fs::metadata(life.log_path()).unwrap().len();
    assert_eq!(life.client.call(Request::SyncLog).unwrap(), Answer::Logged { log_position: Some(length) });
    life.end();
}

#[test]
fn the_end_of_a_clients_input_ends_the_programs_and_output_goes_on() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let client = life.attach_with(Process::Init, Wish::output_and_input(), b"early ");
    let spec = interactive(&life, "cat; echo after; sleep 0.1; echo later");
    life.start(spec);
    (&client).write_all(b"late\n").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(unframe(&read_all(&client))[&1], b"early late\nafter\nlater\n");
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

#[test]
fn all_input_of_a_client_that_left_altogether_arrives() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = interactive(&life, "wc -c");
    spec.process.stdin_once = true;
    life.start(spec);
    let client = life.attach(Process::Init, Wish { input_end: InputEnd::Ignore, ..Wish::raw() });
    (&client).write_all(&vec![b'x'; 300_000]).unwrap();
    drop(client);
    assert_eq!(life.exit(), Exit::Code(0));
    assert_eq!(life.logged(None).trim(), "300000");
    life.end();
}

#[test]
fn a_client_that_leaves_does_not_end_the_input_of_others() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = interactive(&life, "cat");
    life.start(spec);
    let first = life.attach(Process::Init, Wish { input_end: InputEnd::Detach, ..Wish::raw() });
    (&first).write_all(b"first\n").unwrap();
    assert_eq!(read_until(&first, "first\n"), "first\n");
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&first), b"", "let go at the end of its input");
    let second = life.attach(Process::Init, Wish::raw());
    (&second).write_all(b"second\n").unwrap();
    assert_eq!(read_until(&second, "second\n"), "second\n");
    second.shutdown(Shutdown::Write).unwrap();
    assert_eq!(life.exit(), Exit::Code(0));
    assert_eq!(life.logged(None), "first\nsecond\n");
    life.end();
}

#[test]
fn a_held_client_gets_the_begun_line_and_all_that_came_meanwhile() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = interactive(&life, "echo whole; printf begun; read x; echo $x; cat");
    let watcher = life.attach(Process::Init, Wish::raw());
    life.start(spec);
    let typist = life.attach(Process::Init, Wish::raw());
    read_until(&watcher, "begun"); // It has no newline yet, and is in no log.
    let held = life.attach(Process::Init, Wish { hold: true, ..Wish::raw() });
    let stream = life.client.serial();
    (&typist).write_all(b"line\nmore\n").unwrap();
    read_until(&watcher, "more\n");
    life.client.call(Request::Release { stream }).unwrap();
    typist.shutdown(Shutdown::Write).unwrap();
    assert_eq!(String::from_utf8(read_all(&held)).unwrap(), "begunline\nmore\n");
    assert_eq!(life.logged(None), "whole\nbegunline\nmore\n");
    life.end();
}

#[test]
fn a_held_client_is_told_how_long_the_log_was() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = interactive(&life, "echo hello; cat");
    life.start(spec);
    until("the log", || life.logged(None) == "hello\n");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let request = Request::Attach(drydock_shim_protocol::Attach {
        process: Process::Init,
        streams: Streams { stdin: true, stdout: true, stderr: true },
        framing: drydock_shim_protocol::Framing::Raw,
        input_end: InputEnd::Close,
        hold: true,
        detach_keys: vec![],
    });
    let answer = life.client.call_with(request, b"", Some(theirs.into())).unwrap();
    let length = std::fs::metadata(life.log_path()).unwrap().len();
    assert_eq!(answer, Answer::Attached { log_position: Some(length) });
    ours.shutdown(Shutdown::Write).unwrap();
    let stream = life.client.serial();
    life.client.call(Request::Release { stream }).unwrap();
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

const BIG: usize = 20_000_000;

/// Writes about [`BIG`] bytes, no two lines alike.
const BIG_SCRIPT: &str = "seq 1 2500000";

#[test]
fn a_slow_client_loses_nothing_and_holds_up_neither_the_log_nor_others() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let slow = life.attach(Process::Init, Wish::output());
    let fast = life.attach(Process::Init, Wish::output());
    let spec = life.shell(BIG_SCRIPT);
    life.start(spec);
    // The fast one and the log get everything before the slow one has read a byte.
    let expect = unframe(&read_all(&fast)).remove(&1).unwrap();
    assert_eq!(life.exit(), Exit::Code(0));
    assert!(expect.len() > BIG / 2);
    assert!(life.logged(None).as_bytes() == expect, "the log is not what was written");
    assert!(unframe(&read_all(&slow)).remove(&1).unwrap() == expect, "the slow client lost something");
    life.end();
}

#[test]
fn a_slow_client_without_a_log_sets_the_pace_when_it_is_alone() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let slow = life.attach(Process::Init, Wish::output());
    let mut spec = life.shell(&format!("{BIG_SCRIPT} | tee /dev/null; echo done >/tmp/done; cat /tmp/done"));
    spec.log.driver = "none".into();
    life.start(spec);
    let mut first = [0; 8];
    (&slow).read_exact(&mut first).unwrap();
    assert!(!life.dir.join("rootfs/tmp/done").exists(), "nobody took the output, and yet the program went on");
    let mut bytes = first.to_vec();
    bytes.extend(read_all(&slow));
    let output = unframe(&bytes).remove(&1).unwrap();
    assert!(output.ends_with(b"done\n") && output.len() > BIG / 2);
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

#[test]
fn a_client_that_vanishes_is_told_and_hinders_nobody() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let vanishing = life.attach(Process::Init, Wish::output());
    let stream = life.client.serial();
    let staying = life.attach(Process::Init, Wish::output());
    let spec = life.shell("echo one; sleep 0.2; echo two");
    life.start(spec);
    drop(vanishing);
    assert_eq!(life.client.event().unwrap(), Event::StreamEnded { stream });
    assert_eq!(unframe(&read_all(&staying))[&1], b"one\ntwo\n");
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

#[test]
fn a_client_that_never_reads_does_not_delay_the_exit_and_is_served_after_it() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let lazy = life.attach(Process::Init, Wish::output());
    let spec = life.shell(BIG_SCRIPT);
    life.start(spec);
    assert_eq!(life.exit(), Exit::Code(0));
    assert_eq!(life.client.call(Request::Shutdown).unwrap(), Answer::Done);
    life.assert_nothing_is_left();
    let output = unframe(&read_all(&lazy)).remove(&1).unwrap();
    assert!(output == life.logged(None).into_bytes(), "the client lost something");
}

#[test]
fn a_log_is_brought_up_to_date_under_a_program_that_never_pauses() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("yes");
    life.start(spec);
    for _ in 0..10 {
        let answer = life.client.call(Request::SyncLog).unwrap();
        assert!(matches!(answer, Answer::Logged { log_position: Some(_) }));
    }
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    assert_eq!(life.exit(), Exit::Signal(9));
    life.end();
}

#[test]
fn a_tcp_client_gets_the_last_words_though_nobody_read_all_it_sent() {
    if !can_live() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let mut life = Life::begin();
    let request = Request::Attach(drydock_shim_protocol::Attach {
        process: Process::Init,
        streams: Streams { stdin: false, stdout: true, stderr: true },
        framing: drydock_shim_protocol::Framing::Raw,
        input_end: InputEnd::Ignore,
        hold: false,
        detach_keys: vec![],
    });
    life.client.call_with(request, b"", Some(theirs.into())).unwrap();
    client.write_all(&[b'x'; 10_000]).unwrap();
    let spec = life.shell("seq 1 10000");
    life.start(spec);
    let mut output = String::new();
    client.read_to_string(&mut output).unwrap();
    assert_eq!(output, (1..=10_000).map(|n| format!("{n}\n")).collect::<String>());
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

#[test]
fn a_log_receiver_that_takes_its_time_sets_the_pace_and_loses_nothing() {
    if !can_live() {
        return;
    }
    let receiver = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut life = Life::begin();
    let mut spec = life.shell("seq 1 300000; echo done >/tmp/done; sleep 0.1");
    spec.log.driver = "syslog".into();
    spec.log.options = [("syslog-address".into(), format!("tcp://{}", receiver.local_addr().unwrap()))].into();
    life.start(spec);
    let (mut lines, _) = receiver.accept().unwrap();
    lines.set_read_timeout(Some(PATIENCE)).unwrap();
    // The shim answers while its log is held up.
    life.client.call(Request::Status).unwrap();
    let mut first = [0; 1];
    lines.read_exact(&mut first).unwrap();
    assert!(!life.dir.join("rootfs/tmp/done").exists(), "nobody took the log, and yet the program went on");
    let mut all = first.to_vec();
    lines.read_to_end(&mut all).unwrap();
    let all = String::from_utf8(all).unwrap();
    let numbers: Vec<&str> = all.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    let expect: Vec<String> = (1..=300_000).map(|n| n.to_string()).collect();
    assert!(numbers == expect, "{} lines of {}", numbers.len(), expect.len());
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}
