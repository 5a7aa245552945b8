//! What a process in a container sees. Oracle: recordings `inside/…`.

use crate::house::*;
use drydock_shim_protocol::{
    Capabilities, ClientError, ContainerSpec, DeviceKind, DeviceNode, Exit, Failure, Mount, MountSource, Namespace,
    Refusal, Request, Rlimit, read_only_proc_paths,
};
use std::fs;
use std::path::PathBuf;

/// Runs the container; gives what it wrote.
fn run(life: &mut Life, spec: ContainerSpec) -> String {
    life.start(spec);
    assert_eq!(life.exit(), Exit::Code(0), "{}", life.logged(None));
    life.logged(None)
}

fn refused(life: &mut Life, spec: ContainerSpec) -> Failure {
    match life.client.call(Request::Start(Box::new(spec))) {
        Err(ClientError::Refused(Refusal::Failed(failure))) => failure,
        other => panic!("{other:?}"),
    }
}

fn device(path: &str, major: u32, minor: u32, mode: u32) -> DeviceNode {
    DeviceNode { path: path.into(), kind: DeviceKind::Character, major, minor, mode, uid: 0, gid: 0 }
}

fn bind(source: PathBuf, target: &str, read_only: bool) -> Mount {
    Mount { target: target.into(), source: MountSource::Bind(source), read_only }
}

#[test]
fn mounts_are_those_of_the_newest_daemon_in_its_order() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("cut -d' ' -f5- /proc/self/mountinfo | sed '1s/.*/root/; s/ master:[0-9]*//'");
    spec.mounts.push(bind(life.dir.join("rootfs/etc/group"), "/etc/hosts", false));
    let mounts = run(&mut life, spec);
    let mounts = mounts.lines().map(|line| if line.starts_with("/etc/hosts") { "/etc/hosts" } else { line });
    let mounts: String = mounts.map(|line| format!("{line}\n")).collect();
    let expect = "root
/proc rw,nosuid,nodev,noexec,relatime - proc proc rw
/dev rw,nosuid - tmpfs tmpfs rw,mode=755
/dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666
/dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
/dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw
/sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
/etc/hosts
/proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw
/proc/fs ro,nosuid,nodev,noexec,relatime - proc proc rw
/proc/irq ro,nosuid,nodev,noexec,relatime - proc proc rw
/proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
";
    assert_eq!(mounts, expect);
    life.end();
}

#[test]
fn devices_are_those_of_the_newest_daemon() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let script = "cd /dev; stat -c '%A %u:%g %t,%T %N' $(ls -A | sort); stat -c '%A %t,%T' pts/ptmx; stat -c %A shm; \
                  echo x >null; mknod /tmp/n c 1 3; echo x >/tmp/n; mknod /tmp/k c 1 11; cat /tmp/k 2>&1; true";
    let spec = life.shell(script);
    let expect = "lrwxrwxrwx 0:0 0,0 'fd' -> '/proc/self/fd'
crw-rw-rw- 0:0 1,7 full
c--------- 0:0 a,e5 fuse
drwxrwxrwt 0:0 0,0 mqueue
crw-rw-rw- 0:0 1,3 null
lrwxrwxrwx 0:0 0,0 'ptmx' -> 'pts/ptmx'
drwxr-xr-x 0:0 0,0 pts
crw-rw-rw- 0:0 1,8 random
drwxrwxrwt 0:0 0,0 shm
lrwxrwxrwx 0:0 0,0 'stderr' -> '/proc/self/fd/2'
lrwxrwxrwx 0:0 0,0 'stdin' -> '/proc/self/fd/0'
lrwxrwxrwx 0:0 0,0 'stdout' -> '/proc/self/fd/1'
crw-rw-rw- 0:0 5,0 tty
crw-rw-rw- 0:0 1,9 urandom
crw-rw-rw- 0:0 1,5 zero
crw-rw-rw- 5,2
drwxrwxrwt
cat: can't open '/tmp/k': Operation not permitted
";
    assert_eq!(run(&mut life, spec), expect);
    life.end();
}

#[test]
fn the_first_process_has_the_asked_for_credentials_and_nothing_of_the_shims() {
    if !can_live() {
        return;
    }
    let facts = |user: &str, capabilities: Capabilities| {
        let mut life = Life::begin();
        let mut spec =
            life.spec(&["sh", "-c", "exec grep -E '^(Umask|Uid|Gid|Groups|Sig[BI]|Cap|NoNewPrivs)' /proc/self/status"]);
        spec.process.user = user.into();
        spec.process.capabilities = capabilities;
        let facts = run(&mut life, spec);
        life.end();
        facts.replace('\t', " ")
    };
    let default = Capabilities::default();
    let old = Capabilities { left_in_bounding: Capabilities::UNKNOWN_TO_OLD, ..default };
    let expect = |uid: &str, groups: &str, permitted: &str, bounding: &str| {
        format!(
            "Umask: 0022\nUid: {uid} {uid} {uid} {uid}\nGid: {uid} {uid} {uid} {uid}\nGroups: {groups} \n\
             SigBlk: 0000000000000000\nSigIgn: 0000000000000000\nCapInh: 00000000a80425fb\nCapPrm: {permitted}\n\
             CapEff: {permitted}\nCapBnd: {bounding}\nCapAmb: 0000000000000000\nNoNewPrivs: 0\n"
        )
    };
    assert_eq!(facts("", default), expect("0", "", "00000000a80425fb", "00000000a80425fb"));
    assert_eq!(facts("", old), expect("0", "", "000001e0a80425fb", "000001e0a80425fb"));
    assert_eq!(facts("op", default), expect("37", "4 50", "0000000000000000", "00000000a80425fb"));
}

#[test]
fn descriptors_ids_environment_and_names_are_as_recorded() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin_with_descriptor();
    let script = "for f in 0 1 2 3 4 5 6 7 8 9 10 11 12 13; do [ -L /proc/self/fd/$f ] && readlink /proc/self/fd/$f; done | sed 's/[0-9]*//g'; \
                  sed 's/.*) . //' /proc/$$/stat | cut -d' ' -f1-5; tr '\\0' '\\n' </proc/1/environ; hostname; cat /proc/sys/kernel/domainname; pwd; \
                  ip link show lo | grep -c UP";
    let mut spec = life.shell(script);
    spec.domainname = "example.org".into();
    spec.process.env.extend(["A=1", "none", "A=2"].map(String::from));
    spec.process.cwd = "/made/by/shim/".into();
    let expect = "/dev/null\npipe:[]\npipe:[]\n0 1 1 0 -1\nPATH=/bin:/sbin\nA=2\nHOME=/root\n\
                  inside\nexample.org\n/made/by/shim\n1\n";
    let facts = run(&mut life, spec);
    let facts: String =
        facts.lines().filter(|line| !line.starts_with("SHLVL")).map(|line| format!("{line}\n")).collect();
    assert_eq!(facts, expect);
    life.end();
}

#[test]
fn users_groups_limits_and_environments_that_make_no_sense_are_told_apart() {
    if !can_live() {
        return;
    }
    let failed = |change: &dyn Fn(&mut ContainerSpec), expect: Failure| {
        let mut life = Life::begin();
        let mut spec = life.spec(&["true"]);
        change(&mut spec);
        assert_eq!(refused(&mut life, spec), expect);
        life.end();
    };
    failed(&|spec| spec.process.user = "nosuch".into(), Failure::UserMissing("nosuch".into()));
    failed(&|spec| spec.process.user = "root:nosuch".into(), Failure::GroupMissing("nosuch".into()));
    failed(&|spec| spec.process.user = "2147483648".into(), Failure::IdOutOfRange);
    failed(&|spec| spec.process.env.push("=x".into()), Failure::EnvMalformed);
    failed(&|spec| spec.hostname = "x".repeat(65), Failure::Hostname(22));
    failed(
        &|spec| spec.process.cwd = "/etc/passwd/x".into(),
        Failure::WorkingDir { path: "/etc/passwd/x".into(), errno: 20 },
    );
    failed(&|spec| spec.process.cwd = "/proc/made".into(), Failure::WorkingDir { path: "/proc/made".into(), errno: 2 });
    // Descriptors of the shim are no way out of the container.
    failed(
        &|spec| spec.process.cwd = "/proc/self/fd/3".into(),
        Failure::WorkingDir { path: "/proc/self/fd/3".into(), errno: 40 },
    );
    let limit = Rlimit { resource: Rlimit::by_name("nofile").unwrap(), soft: 1 << 40, hard: 1 << 40 };
    failed(&|spec| spec.process.rlimits = vec![limit], Failure::Rlimit { resource: 7, errno: 1 });
}

#[test]
fn limits_of_resources_are_set() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("ulimit -S -n; ulimit -H -n; ulimit -c; cat /proc/self/oom_score_adj");
    let limit = |name, soft, hard| Rlimit { resource: Rlimit::by_name(name).unwrap(), soft, hard };
    spec.process.rlimits = vec![limit("nofile", 1000, 2000), limit("core", 0, 0)];
    spec.oom_score_adj = Some(100);
    assert_eq!(run(&mut life, spec), "1000\n2000\n0\n100\n");
    life.end();
}

#[test]
fn binds_show_the_hosts_files_and_read_only_ones_cannot_be_written() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let shared = life.dir.join("shared");
    fs::create_dir_all(shared.join("sub")).unwrap();
    fs::write(shared.join("file"), "host\n").unwrap();
    std::os::unix::fs::symlink("/../../escaped", life.dir.join("rootfs/link")).unwrap();
    let script = "exec 2>&1; cat /a/file; echo new >/a/made; echo x >/b/c/no 2>&1; cat /etc/one; echo x >/link/in";
    let mut spec = life.shell(script.trim());
    spec.mounts.extend([
        bind(shared.clone(), "/a", false),
        bind(shared.clone(), "/b/c", true),
        bind(shared.join("file"), "/etc/one", false),
        bind(shared.join("sub"), "/link", false),
    ]);
    life.start(spec);
    life.exit();
    assert_eq!(life.logged(None), "host\nsh: can't create /b/c/no: Read-only file system\nhost\n");
    assert_eq!(fs::read_to_string(shared.join("made")).unwrap(), "new\n");
    assert!(shared.join("sub/in").exists());
    assert!(life.dir.join("rootfs/escaped").is_dir() && !PathBuf::from("/escaped").exists(), "a link led out");
    life.end();
}

#[test]
fn a_bind_over_the_root_or_inside_proc_is_refused() {
    if !can_live() {
        return;
    }
    for (target, expect) in [("/x/..", Failure::MountAtRoot), ("/proc/1", Failure::MountInProc("/proc/1".into()))] {
        let mut life = Life::begin();
        let mut spec = life.spec(&["true"]);
        spec.mounts.push(bind("/tmp".into(), target, false));
        assert_eq!(refused(&mut life, spec), expect);
        life.end();
    }
}

#[test]
fn a_read_only_root_and_masked_paths_protect() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life
        .shell("exec 2>&1; touch /x; touch /dev/y && echo dev; cat /proc/uptime | wc -c; (echo 1 >/proc/sys/kernel/panic) 2>&1");
    spec.read_only_rootfs = true;
    spec.masked_paths = vec!["/proc/uptime".into(), "/proc/no/such".into()];
    life.start(spec);
    life.exit();
    let expect =
        "touch: /x: Read-only file system\ndev\n0\nsh: can't create /proc/sys/kernel/panic: Read-only file system\n";
    assert_eq!(life.logged(None), expect);
    life.end();
}

#[test]
fn privileges_are_all_that_the_daemon_has() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life
        .shell("grep CapEff /proc/self/status; [ -c /dev/kmsg ] && echo kmsg; mount -t tmpfs x /tmp && echo mounted");
    spec.process.capabilities.set = (1 << 41) - 1;
    spec.read_only_paths.clear();
    spec.devices.push(device("/dev/kmsg", 1, 11, 0o644));
    spec.cgroups.limits.devices = None;
    let ours = fs::read_to_string("/proc/self/status").unwrap();
    let ours = ours.lines().find(|line| line.starts_with("CapEff")).unwrap().to_owned();
    assert_eq!(run(&mut life, spec), format!("{ours}\nkmsg\nmounted\n"));
    life.end();
}

#[test]
fn a_device_that_was_given_is_there() {
    if !can_live() {
        return;
    }
    let mut life = Life::begin();
    let mut spec = life.shell("stat -c '%A %u:%g %t,%T' /dev/deep/mine; head -c 3 /dev/deep/mine | wc -c");
    spec.devices.push(DeviceNode { uid: 37, gid: 50, ..device("/dev/deep/mine", 1, 5, 0o640) });
    assert_eq!(run(&mut life, spec), "crw-r----- 37:50 1,5\n3\n");
    life.end();
}

#[test]
fn namespaces_are_shared_with_the_host_or_another_container() {
    if !can_live() {
        return;
    }
    let script = "for n in pid ipc uts net; do readlink /proc/self/ns/$n; done";
    let own = |n: &str| fs::read_link(format!("/proc/self/ns/{n}")).unwrap().to_str().unwrap().to_owned();
    let mut host = Life::begin();
    let mut spec = host.shell(script);
    let namespaces = &mut spec.namespaces;
    for namespace in [&mut namespaces.pid, &mut namespaces.ipc, &mut namespaces.uts, &mut namespaces.network] {
        *namespace = Namespace::Host;
    }
    let expect: String = ["pid", "ipc", "uts", "net"].iter().map(|n| own(n) + "\n").collect();
    assert_eq!(run(&mut host, spec), expect);
    host.end();

    let mut first = Life::begin();
    let spec = first.spec(&["sleep", "1000"]);
    let pid = first.start(spec);
    let of_first = |n: &str| fs::read_link(format!("/proc/{pid}/ns/{n}")).unwrap().to_str().unwrap().to_owned();
    let mut second = Life::begin();
    let mut spec = second.shell(script);
    spec.namespaces.ipc = Namespace::Path(format!("/proc/{pid}/ns/ipc").into());
    spec.namespaces.network = Namespace::Path(format!("/proc/{pid}/ns/net").into());
    spec.namespaces.pid = Namespace::Path(format!("/proc/{pid}/ns/pid").into());
    let lines = run(&mut second, spec);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!([lines[0], lines[1], lines[3]], [of_first("pid"), of_first("ipc"), of_first("net")]);
    assert_ne!(lines[2], own("uts"));
    second.end();
    first.client.call(Request::Signal { process: drydock_shim_protocol::Process::Init, signal: 9 }).unwrap();
    first.exit();
    first.end();
}

#[test]
fn older_daemons_proc_is_protected_in_their_order() {
    assert_eq!(read_only_proc_paths(false), ["/proc/sys", "/proc/irq", "/proc/bus"].map(PathBuf::from));
}
