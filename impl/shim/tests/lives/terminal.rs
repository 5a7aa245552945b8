//! Terminals: echo, windows, detaching.

use crate::house::*;
use drydock_shim_protocol::{Event, Exit, Process, Request};
use std::io::Write;

#[test]
fn a_terminal_is_the_console_and_its_window_can_be_set() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell(
        "trap 'stty size; seen=1' WINCH; tty; until [ $seen ]; do sleep 0.05; done; read line; echo \"<$line>\"",
    );
    spec.process.tty = true;
    spec.process.stdin = true;
    let client = life.attach(Process::Init, Wish::raw());
    life.start(spec);
    read_until(&client, "/dev/console\r\n");
    life.client.call(Request::Resize { process: Process::Init, rows: 33, columns: 77 }).unwrap();
    read_until(&client, "33 77\r\n");
    (&client).write_all(b"typed\n").unwrap();
    read_until(&client, "typed\r\n<typed>");
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}

#[test]
fn what_a_terminal_still_holds_when_its_program_ends_arrives() {
    if !can_live() {
        return;
    }
    for _ in 0..20 {
        let mut life = Life::begin();
        let mut spec = life.shell("seq 1 500; printf last");
        spec.process.tty = true;
        let client = life.attach(Process::Init, Wish::raw());
        life.start(spec);
        let expect: String = (1..=500).map(|n| format!("{n}\r\n")).collect::<String>() + "last";
        assert_eq!(String::from_utf8(read_all(&client)).unwrap(), expect);
        assert_eq!(life.exit(), Exit::Code(0));
        life.end();
    }
}

#[test]
fn a_terminal_that_nobody_holds_for_a_while_is_not_at_its_end() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("exec </dev/null >/dev/null 2>&1; sleep 0.1; echo back >/dev/console; exit 3");
    spec.process.tty = true;
    let client = life.attach(Process::Init, Wish::raw());
    life.start(spec);
    assert_eq!(read_all(&client), b"back\r\n");
    assert_eq!(life.exit(), Exit::Code(3));
    life.end();
}

#[test]
fn the_detach_keys_let_a_client_go_and_the_program_lives_on() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("cat");
    spec.process.tty = true;
    spec.process.stdin = true;
    life.start(spec);
    let client = life.attach(Process::Init, Wish { detach_keys: b"\x10\x11", ..Wish::raw() });
    let stream = life.client.serial();
    (&client).write_all(b"x").unwrap();
    read_until(&client, "x");
    (&client).write_all(b"\x10").unwrap();
    (&client).write_all(b"\x11").unwrap();
    assert_eq!(life.client.event().unwrap(), Event::StreamEnded { stream });
    assert_eq!(read_all(&client), b"");
    let again = life.attach(Process::Init, Wish::raw());
    (&again).write_all(b"y\n\x04").unwrap();
    read_until(&again, "y\r\nxy\r\n");
    assert_eq!(life.exit(), Exit::Code(0));
    life.end();
}
