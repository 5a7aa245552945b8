//! Start, exit, signals, and what is left.

use crate::house::*;
use drydock_shim_protocol::{ClientError, Exit, Failure, Process, Refusal, Request};

#[test]
fn a_program_runs_and_its_exit_code_and_output_are_kept() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("echo out; echo err >&2; exit 7");
    life.start(spec);
    assert_eq!(life.exit(), Exit::Code(7));
    assert_eq!((life.logged(Some("stdout")), life.logged(Some("stderr"))), ("out\n".into(), "err\n".into()));
    life.end();
}

#[test]
fn a_signal_ends_it_and_is_told() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    life.start(spec);
    until("the program", || life.logged(None) == "ready\n");
    let signal = |signal| Request::Signal { process: Process::Init, signal };
    life.client.call(signal(15)).unwrap();
    life.client.call(signal(9)).unwrap();
    assert_eq!(life.exit(), Exit::Signal(9));
    let gone = life.client.call(signal(9));
    assert!(matches!(gone, Err(ClientError::Refused(Refusal::NotRunning))), "{gone:?}");
    life.end();
}

#[test]
fn a_program_that_cannot_be_run_is_told_and_leaves_nothing() {
    if !can_live() {
        return;
    }
    let failed = |args: &[&str], expect: Failure| {
        let mut life = Life::begin();
        let spec = life.spec(args);
        match life.client.call(Request::Start(Box::new(spec))) {
            Err(ClientError::Refused(Refusal::Failed(failure))) => assert_eq!(failure, expect),
            other => panic!("{other:?}"),
        }
        life.end();
    };
    failed(&["nosuch"], Failure::ExecutableNotInPath("nosuch".into()));
    failed(&["/no/such"], Failure::Executable { path: "/no/such".into(), errno: 2 });
    failed(&["/etc/passwd"], Failure::Executable { path: "/etc/passwd".into(), errno: 13 });
    failed(&[], Failure::NoProgram);
}
