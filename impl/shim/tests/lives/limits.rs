//! Cgroups: limits, freezing, lack of memory, measuring.

use crate::house::*;
use drydock_shim_protocol::{Answer, ClientError, Event, Exit, Failure, Process, Refusal, Request};
use std::fs;
use std::time::Duration;

fn value(life: &Life, controller: &str, file: &str) -> String {
    let directory =
        cgroups_of(&life.id).into_iter().find(|path| path.starts_with(format!("/sys/fs/cgroup/{controller}/")));
    fs::read_to_string(directory.expect(controller).join(file)).unwrap().trim().to_owned()
}

fn kill(life: &mut Life) {
    life.client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    assert_eq!(life.exit(), Exit::Signal(9));
}

#[test]
fn limits_stand_in_the_cgroup_and_only_controllers_in_use_have_one() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.spec(&["sleep", "1000"]);
    let limits = &mut spec.cgroups.limits;
    limits.memory = Some(64 << 20);
    limits.memory_reservation = Some(64 << 20);
    limits.memory_swap = Some(128 << 20);
    limits.cpu_shares = Some(512);
    limits.cpu_quota = Some(50_000);
    limits.cpu_period = Some(100_000);
    limits.cpuset_cpus = Some("0".into());
    let pid = life.start(spec);
    let mut controllers: Vec<String> = cgroups_of(&life.id)
        .iter()
        .map(|path| path.components().nth(4).unwrap().as_os_str().to_str().unwrap().to_owned())
        .collect();
    controllers.sort();
    assert_eq!(controllers, ["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory"]);
    for (controller, file, expect) in [
        ("memory", "memory.limit_in_bytes", "67108864"),
        ("memory", "memory.soft_limit_in_bytes", "67108864"),
        ("memory", "memory.memsw.limit_in_bytes", "134217728"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpuset", "cpuset.cpus", "0"),
        ("freezer", "cgroup.procs", &pid.to_string()),
    ] {
        assert_eq!(value(&life, controller, file), expect, "{file}");
    }
    let expect = "c *:* m b *:* m c 5:1 rwm c 4:0 rwm c 4:1 rwm c 136:* rwm c 5:2 rwm c 10:200 rwm c 1:3 rwm c 1:5 rwm \
                  c 1:7 rwm c 5:0 rwm c 1:9 rwm c 1:8 rwm";
    assert_eq!(value(&life, "devices", "devices.list").replace('\n', " "), expect);
    assert_eq!(life.client.call(Request::Processes).unwrap(), Answer::Processes(vec![pid]));
    kill(&mut life);
    life.end();
}

#[test]
fn a_limit_that_the_kernel_refuses_fails_the_start_and_leaves_nothing() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.spec(&["true"]);
    spec.cgroups.limits.cpuset_cpus = Some("999".into());
    match life.client.call(Request::Start(Box::new(spec))) {
        Err(ClientError::Refused(Refusal::Failed(Failure::Cgroup { file, errno }))) => {
            assert!(file.ends_with(format!("{}/cpuset.cpus", life.id)), "{file:?}");
            assert!([22, 34].contains(&errno), "{errno}");
        }
        other => panic!("{other:?}"),
    }
    life.end();
    for (shares, expect) in [(1, Failure::CpuSharesBelow(2)), (1 << 30, Failure::CpuSharesAbove(262_144))] {
        let mut life = Life::begin();
        let mut spec = life.spec(&["true"]);
        spec.cgroups.limits.cpu_shares = Some(shares);
        spec.cgroups.limits.cpu_shares_checked = true;
        match life.client.call(Request::Start(Box::new(spec))) {
            Err(ClientError::Refused(Refusal::Failed(failure))) => assert_eq!(failure, expect),
            other => panic!("{other:?}"),
        }
        life.end();
    }
}

#[test]
fn a_frozen_container_makes_no_progress_until_thawed() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("while :; do echo tick; done");
    life.start(spec);
    life.client.call(Request::Pause).unwrap();
    life.client.call(Request::SyncLog).unwrap();
    let Answer::Status(status) = life.client.call(Request::Status).unwrap() else { panic!() };
    assert!(status.paused);
    let length = fs::metadata(life.log_path()).unwrap().len();
    std::thread::sleep(Duration::from_millis(50));
    life.client.call(Request::SyncLog).unwrap();
    assert_eq!(fs::metadata(life.log_path()).unwrap().len(), length);
    life.client.call(Request::Unpause).unwrap();
    until("progress", || fs::metadata(life.log_path()).unwrap().len() > length);
    kill(&mut life);
    life.end();
}

#[test]
fn lack_of_memory_kills_and_is_told_before_the_exit() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.spec(&["sh", "-c", "exec tail -c 200000000 /dev/zero"]);
    spec.cgroups.limits.memory = Some(16 << 20);
    spec.cgroups.limits.memory_swap = Some(16 << 20);
    life.start(spec);
    assert!(matches!(life.client.event().unwrap(), Event::OutOfMemory { .. }));
    assert_eq!(life.exit(), Exit::Signal(9));
    let Answer::Status(status) = life.client.call(Request::Status).unwrap() else { panic!() };
    assert!(status.out_of_memory);
    life.end();
}

#[test]
fn a_fork_bomb_is_held_by_its_limit_and_ends_with_the_container() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 1000");
    spec.cgroups.limits.pids = Some(100);
    life.start(spec);
    let count = |life: &mut Life| match life.client.call(Request::Processes).unwrap() {
        Answer::Processes(processes) => processes.len(),
        other => panic!("{other:?}"),
    };
    until("the bomb", || value(&life, "pids", "pids.events") != "max 0");
    assert!(count(&mut life) <= 100);
    kill(&mut life);
    life.end();
}

#[test]
fn thousands_of_processes_end_with_their_first() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("i=0; while [ $i -lt 2000 ]; do sleep 1000 & i=$((i+1)); done; echo all; wait");
    life.start(spec);
    until("all processes", || life.logged(None) == "all\n");
    match life.client.call(Request::Processes).unwrap() {
        Answer::Processes(processes) => assert_eq!(processes.len(), 2001),
        other => panic!("{other:?}"),
    }
    kill(&mut life);
    life.end();
}

#[test]
fn a_container_in_the_hosts_pid_namespace_ends_whole() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("(trap '' HUP TERM; echo child; sleep 1000) & echo parent; sleep 0.2");
    spec.namespaces.pid = drydock_shim_protocol::Namespace::Host;
    life.start(spec);
    assert_eq!(life.exit(), Exit::Code(0));
    let mut lines: Vec<String> = life.logged(None).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["child", "parent"]);
    life.end();
}

#[test]
fn measurements_are_the_kernels() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let spec = life.shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; sleep 1000");
    life.start(spec);
    until("work", || life.logged(None) == "done\n");
    let Answer::Sample(sample) = life.client.call(Request::Stats).unwrap() else { panic!() };
    assert!(sample.cpu.total > 1_000_000 && sample.cpu.system > sample.cpu.total, "{:?}", sample.cpu);
    assert!(sample.memory.usage > 0 && sample.memory.max_usage >= sample.memory.usage, "{:?}", sample.memory);
    assert!(sample.memory.stats.contains_key("rss"));
    assert!(sample.blkio.contains_key("io_service_bytes_recursive"));
    kill(&mut life);
    life.end();
}
