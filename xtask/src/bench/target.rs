//! Daemons to measure: those that the bench starts itself, and those that the user names.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::http::{Address, Connection};
use crate::artifacts::Artifacts;

/// The command line of the reference daemon for [`Target::start`].
pub(crate) fn reference(artifacts: &Artifacts) -> Vec<String> {
    let daemon = artifacts.daemon.display().to_string();
    let shim = artifacts.shim.display().to_string();
    let flags = [
        "-H",
        "unix://{folder}/docker.sock",
        "-g",
        "{folder}/data",
        "--exec-root",
        "{folder}/run",
        "-p",
        "{folder}/pid",
        "--shim",
    ];
    [daemon].into_iter().chain(flags.map(str::to_owned)).chain([shim]).collect()
}

/// A daemon under measurement.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    address: Address,
    started: Option<Started>,
}

/// A daemon that the bench started, stopped and cleared away when it goes.
#[derive(Debug)]
struct Started {
    child: Child,
    command: Vec<String>,
    folder: PathBuf,
    socket: PathBuf,
    cgroup: PathBuf,
}

impl Target {
    /// A daemon that runs already; its processor time is not known.
    pub(crate) fn named(name: &str, address: &str) -> Self {
        Self { name: name.to_owned(), address: Address::new(address), started: None }
    }

    /// Starts `command` in mount, network and UTS namespaces of its own, with `{folder}` replaced by a folder under
    /// `root` where it listens on `docker.sock` and keeps its data, and waits until it answers.
    pub(crate) fn start(name: &str, command: &[String], root: &Path) -> Result<Self> {
        let folder = root.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let cgroup = PathBuf::from(format!("/sys/fs/cgroup/cpuacct/drydock-bench-{name}"));
        let _ = fs::create_dir(&cgroup);
        let path = folder.display().to_string();
        let command: Vec<String> = command.iter().map(|word| word.replace("{folder}", &path)).collect();
        let child = launch(&command, &folder, &cgroup)?;
        let address = Address::new(format!("unix://{path}/docker.sock"));
        let socket = folder.join("docker.sock");
        let target =
            Self { name: name.to_owned(), address, started: Some(Started { child, command, folder, socket, cgroup }) };
        target.await_answer()?;
        Ok(target)
    }

    /// Loads an image's archive.
    pub(crate) fn load(&self, archive: &Path) -> Result<()> {
        let bytes = fs::read(archive).with_context(|| format!("reading {}", archive.display()))?;
        self.connect()?.call_into(
            "POST",
            "/v1.19/images/load",
            "application/x-tar",
            Some(&bytes),
            &mut std::io::sink(),
        )?;
        Ok(())
    }

    /// The socket of a daemon that was started here.
    pub(crate) fn socket(&self) -> Result<&Path> {
        self.started.as_ref().map(|started| started.socket.as_path()).context("the daemon was not started here")
    }

    /// The process of a daemon that was started here: its namespaces are the daemon's.
    pub(crate) fn process(&self) -> Result<u32> {
        self.started.as_ref().map(|started| started.child.id()).context("the daemon was not started here")
    }

    /// The network that a daemon started here lives in.
    pub(super) fn network_namespace(&self) -> Result<fs::File> {
        let path = format!("/proc/{}/ns/net", self.process()?);
        fs::File::open(&path).with_context(|| format!("opening {path}"))
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Result<Connection> {
        self.address.connect()
    }

    /// Processor time that the daemon and its helpers have used, without its containers.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let usage = fs::read_to_string(self.started.as_ref()?.cgroup.join("cpuacct.usage")).ok()?;
        usage.trim().parse().ok().map(Duration::from_nanos)
    }

    /// Private memory of the daemon and its helpers, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        let pids = fs::read_to_string(self.started.as_ref()?.cgroup.join("cgroup.procs")).ok()?;
        Some(pids.lines().filter_map(private_memory).sum())
    }

    /// Kills the daemon, starts it again on the same data, and gives the time until its first answer.
    pub(crate) fn restart(&mut self) -> Result<Duration> {
        let started = self.started.as_mut().context("only a daemon that the bench started can be restarted")?;
        stop(&mut started.child);
        let began = Instant::now();
        started.child = launch(&started.command, &started.folder, &started.cgroup)?;
        self.await_answer()?;
        Ok(began.elapsed())
    }

    fn await_answer(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if self.connect().and_then(|mut connection| connection.call("GET", "/_ping", None)).is_ok() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
        let log = self
            .started
            .as_ref()
            .and_then(|started| fs::read_to_string(started.folder.join("log")).ok())
            .unwrap_or_default();
        let tail = log.lines().rev().take(5).collect::<Vec<_>>().join("\n  ");
        bail!("{} does not answer; its log ends:\n  {tail}", self.name)
    }
}

/// The private pages of a process; `None` when it is gone.
fn private_memory(pid: &str) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kilobytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    Some(rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kilobytes).sum::<u64>() * 1024)
}

fn launch(command: &[String], folder: &Path, cgroup: &Path) -> Result<Child> {
    // /run of its own, as two daemons must not meet there; cgroups stay as they are mounted.
    const SCRIPT: &str = r#"
        echo $$ >"$CGROUP/cgroup.procs" || exit 1
        ip link set lo up
        mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/cg
        if mount --move /sys/fs/cgroup /run/cg; then mount -t sysfs sysfs /sys; mount --move /run/cg /sys/fs/cgroup; fi
        echo 1 >/proc/sys/net/ipv4/ip_forward
        exec "$@""#;
    let log = fs::File::create(folder.join("log")).context("making the log")?;
    let _ = fs::remove_file(folder.join("docker.sock"));
    Command::new("unshare")
        .args(["--mount", "--net", "--uts", "--propagation", "private", "sh", "-c", SCRIPT, "bench"])
        .args(command)
        .env("CGROUP", cgroup)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting unshare")
}

fn stop(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for Started {
    fn drop(&mut self) {
        stop(&mut self.child);
        // What the daemon left running is in its cgroup still, or in those of containers below it.
        for _ in 0..500 {
            if clear(&self.cgroup) {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Kills what is in a cgroup and below it, and removes what is empty. Whether all of it is gone.
fn clear(cgroup: &Path) -> bool {
    let below = fs::read_dir(cgroup).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in below.filter(|path| path.is_dir()) {
        clear(&path);
    }
    let pids = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|pid| pid.parse().ok()) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL); // It died by itself.
    }
    fs::remove_dir(cgroup).is_ok() || !cgroup.exists()
}
