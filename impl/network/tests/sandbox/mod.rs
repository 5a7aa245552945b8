//! Namespaces in which a test may do what it likes.

#![allow(dead_code)] // Each test program uses its part.

use drydock_network::{Attachment, Config, Namespace, Network};
use nix::ifaddrs::getifaddrs;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub(crate) struct Sandbox {
    directory: tempfile::TempDir,
}

/// Runs a test on a thread with network and mounts of its own. Says so when the machine does not let us.
pub(crate) fn in_sandbox(test: impl FnOnce(&Sandbox) + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(error) = unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS) {
                eprintln!("SKIPPED: a network namespace is not to be had ({error}); this test needs root");
                return;
            }
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
            let sandbox = Sandbox { directory: tempfile::tempdir().unwrap() };
            sandbox.run("ip", &["link", "set", "lo", "up"]);
            test(&sandbox);
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Runs a test in a process of its own, where `DRYDOCK_FAULT` is `fault`. `name` is the calling test's.
pub(crate) fn with_fault(name: &str, fault: &str, test: impl FnOnce(&Sandbox) + Send) {
    const CHILD: &str = "DRYDOCK_TEST_CHILD";
    match std::env::var(CHILD) {
        Ok(own) if own == fault => in_sandbox(test),
        Ok(_) => {}
        Err(_) => {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", name, "--nocapture"]).env(CHILD, fault).env("DRYDOCK_FAULT", fault);
            let output = child.output().unwrap();
            assert!(output.status.success(), "{fault}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// Runs a function in a container's network.
pub(crate) fn inside<T: Send>(attachment: &Attachment, function: impl FnOnce() -> T + Send) -> T {
    let Namespace::Path(path) = attachment.namespace() else { panic!("no namespace of its own") };
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            function()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Sandbox {
    pub(crate) fn exec_root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn network(&self) -> Network {
        Network::open(Config::new(self.exec_root())).unwrap()
    }

    pub(crate) fn namespaces(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.exec_root().join("netns")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// As the recordings show them: nat, then filter, without empty chains of the kernel.
    pub(crate) fn rules(&self) -> String {
        let kept = |line: &&str| {
            !line.starts_with('#')
                && *line != "COMMIT"
                && ![":PREROUTING", ":INPUT", ":OUTPUT", ":POSTROUTING"].iter().any(|chain| line.starts_with(chain))
        };
        ["nat", "filter"]
            .map(|table| self.run("iptables-save", &["-t", table]))
            .concat()
            .lines()
            .filter(kept)
            .map(|line| format!("{line}\n"))
            .collect()
    }

    pub(crate) fn assert_only_the_bridge(&self) {
        assert_interfaces(&["docker0", "lo"]);
        assert!(self.namespaces().is_empty(), "{:?}", self.namespaces());
        let mounts = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let own = self.exec_root().to_str().unwrap();
        assert!(!mounts.contains(own), "{mounts}");
    }
}

/// The kernel takes a namespace's interfaces, and so their peers here, some time after its last user: waits for that.
pub(crate) fn assert_interfaces(expected: &[&str]) {
    for _ in 0..1000 {
        if interfaces() == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(interfaces(), expected);
}

/// Names of the calling thread's interfaces.
pub(crate) fn interfaces() -> Vec<String> {
    let mut names: Vec<_> = getifaddrs().unwrap().map(|interface| interface.interface_name).collect();
    names.sort();
    names.dedup();
    names
}

/// IPv4 addresses of an interface.
pub(crate) fn addresses(interface: &str) -> Vec<IpAddr> {
    let own = getifaddrs().unwrap().filter(|entry| entry.interface_name == interface);
    own.filter_map(|entry| Some(IpAddr::V4(entry.address?.as_sockaddr_in()?.ip()))).collect()
}

pub(crate) fn mac_of(interface: &str) -> String {
    let own = getifaddrs().unwrap().filter(|entry| entry.interface_name == interface);
    let mac = own.filter_map(|entry| entry.address?.as_link_addr()?.addr()).next().unwrap();
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
