//! A shim without root: a user namespace with one id.

use crate::house::*;
use drydock_shim_protocol::{Answer, ClientError, Exit, Failure, Namespace, Note, Refusal, Request};

/// Whether this machine lets a user have a user namespace; says why not.
fn can_be_rootless() -> bool {
    let allowed = |file: &str| std::fs::read_to_string(file).map_or(true, |value| value.trim() != "0");
    let may = ["/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/unprivileged_userns_clone"];
    match may.iter().find(|file| !allowed(file)) {
        None => true,
        Some(file) => {
            eprintln!("skipped: {file} forbids user namespaces");
            false
        }
    }
}

#[test]
fn a_user_without_root_leads_a_life_with_one_id() {
    if !can_live() || !can_be_rootless() {
        return;
    }
    let mut life = Life::begin_as(65534);
    let mut spec = life.shell("id -u; cat /proc/self/uid_map | tr -s ' '; echo x >/dev/null; ls /proc/1/exe; exit 6");
    spec.cgroups.limits.memory = Some(1 << 30);
    let answer = life.client.call(Request::Start(Box::new(spec))).unwrap();
    let Answer::Started { notes, .. } = answer else { panic!("{answer:?}") };
    assert!(notes.contains(&Note::NeedsRoot("cgroups".into())), "{notes:?}");
    assert_eq!(life.exit(), Exit::Code(6));
    assert_eq!(life.logged(None), "0\n 0 65534 1\n/proc/1/exe\n");
    life.end();
}

#[test]
fn another_user_cannot_run_without_root_and_that_is_told() {
    if !can_live() || !can_be_rootless() {
        return;
    }
    let mut life = Life::begin_as(65534);
    let mut spec = life.spec(&["true"]);
    spec.process.user = "op".into();
    let result = life.client.call(Request::Start(Box::new(spec)));
    let Err(ClientError::Refused(Refusal::Failed(Failure::Step { step, errno, .. }))) = result else {
        panic!("{result:?}");
    };
    assert_eq!((step.as_str(), errno), ("groups", 1));
    life.end();
}

#[test]
fn a_user_without_root_has_the_hosts_network_if_asked_and_a_terminal() {
    if !can_live() || !can_be_rootless() {
        return;
    }
    let mut life = Life::begin_as(65534);
    let mut spec = life.shell("tty; ls /sys | head -n 1");
    spec.namespaces.network = Namespace::Host;
    spec.process.tty = true;
    life.start(spec);
    assert_eq!(life.exit(), Exit::Code(0));
    assert_eq!(life.logged(None), "/dev/console\r\nblock\r\n");
    let id = life.id.clone();
    life.end();
    assert!(cgroups_of(&id).is_empty());
}
