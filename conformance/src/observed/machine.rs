//! Namespaces in which a `drydockd` can be killed and started again while its containers live on.
//!
//! A keeper is the first process of their pid namespace: what loses its parent becomes its child, as on a machine, and
//! all of it ends when the keeper does. Places are those of the recorded daemons: `/var/lib/docker` on a file system of
//! memory, `/run/docker.pid`, a `/run` and `/var/tmp` of their own, a name server that does not answer.

use std::{
    fs::{self, File},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    exchange::Address,
    run::{Daemon, StartError, await_answer},
};

/// How long the namespaces, or the daemon, may take to be ready.
const START: Duration = Duration::from_secs(20);
/// How long the daemon may take to end at the end of a run.
const STOP: Duration = Duration::from_secs(30);
/// How long a command beside the daemon may take, in seconds.
const COMMAND: &str = "20";
/// The cgroup of the daemon's containers.
const CGROUP: &str = "docker";

/// The hosts that it knows.
const HOSTS: &str = "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 drydockhost\n";

/// The machine as the recorded daemons had it. `$FOLDER` is the suite's.
const KEEPER: &str = r#"set -e
ip link set lo up
hostname drydockhost
mount -t tmpfs tmpfs /run
chmod 755 /run
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
mount --bind "$FOLDER/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
[ -d /var/lib/docker ] || mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /var/lib/docker /run/lock
mount -t tmpfs tmpfs /var/lib/docker
chmod 755 /var/lib/docker
mkdir /run/cgroups
mount --rbind /sys/fs/cgroup /run/cgroups
mount -t sysfs sysfs /sys
mount --rbind /run/cgroups /sys/fs/cgroup
umount -l /run/cgroups
rmdir /run/cgroups
touch "$FOLDER/ready"
while :; do sleep 3600; done"#;

/// Why there is no machine, or no daemon in it.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The daemon does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The namespaces were not made: they need root, `unshare`, `setpriv`, `ip` and `mount`.
    #[error("no namespaces of its own: {0}")]
    Namespaces(String),
}

/// Namespaces with a daemon in them; all gone when dropped.
#[derive(Debug)]
pub struct Machine {
    programs: Daemon,
    folder: tempfile::TempDir,
    /// `unshare`, whose child is the keeper.
    unshare: Child,
    /// The keeper, as this process sees it.
    keeper: u32,
    /// `nsenter`, whose child is the daemon.
    daemon: Option<Child>,
}

impl Machine {
    /// Makes the namespaces; no daemon runs yet.
    pub fn new(programs: &Daemon) -> Result<Self, MachineError> {
        // A socket's path is short, and that of a build may not be.
        let folder = tempfile::Builder::new().prefix("observed-").tempdir_in("/tmp").map_err(StartError::Folder)?;
        fs::write(folder.path().join("resolv.conf"), "nameserver 192.0.2.53\n").map_err(StartError::Folder)?;
        fs::write(folder.path().join("hosts"), HOSTS).map_err(StartError::Folder)?;
        let said = File::create(folder.path().join("keeper")).map_err(StartError::Folder)?;
        // However the suite ends, the keeper ends with it.
        let unshare = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--net",
                "--uts",
                "--ipc",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["--propagation", "private", "--", "sh", "-c", KEEPER])
            .env("FOLDER", folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().map_err(StartError::Folder)?)
            .stderr(said)
            .spawn()
            .map_err(|error| StartError::Spawn("setpriv".into(), error))?;
        let mut machine = Self { programs: programs.clone(), folder, unshare, keeper: 0, daemon: None };
        machine.await_keeper()?;
        Ok(machine)
    }

    fn await_keeper(&mut self) -> Result<(), MachineError> {
        let begun = Instant::now();
        while begun.elapsed() < START && self.unshare.try_wait().ok().flatten().is_none() {
            if self.folder.path().join("ready").exists()
                && let Some(keeper) = child_of(self.unshare.id())
            {
                self.keeper = keeper;
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        let said = fs::read_to_string(self.folder.path().join("keeper")).unwrap_or_default();
        Err(MachineError::Namespaces(said.trim().to_owned()))
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self, flags: &[&str]) -> Result<(), MachineError> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"));
        let log = log.map_err(StartError::Folder)?;
        let errors = log.try_clone().map_err(StartError::Folder)?;
        let mut command = self.inside(&self.programs.daemon);
        command
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()))
            .args(["-g", "/var/lib/docker", "-s", "vfs", "-p", "/run/docker.pid", "--exec-root", "/run/drydock"])
            .arg("--shim")
            .arg(&self.programs.shim)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors);
        let daemon = command.spawn().map_err(|error| StartError::Spawn(self.programs.daemon.clone(), error))?;
        self.daemon = Some(daemon);
        let (socket, log) = (self.socket(), self.folder.path().join("log"));
        Ok(await_answer(&socket, &log, || self.ended())?)
    }

    /// A command in these namespaces.
    fn inside(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--net", "--uts", "--ipc", "--pid", "--target"]).arg(self.keeper.to_string());
        command.arg("--").arg(program);
        command
    }

    /// What a shell line gives beside the daemon, both streams, and its exit status where that is not 0.
    pub fn beside(&self, line: &str) -> Result<String, MachineError> {
        let Output { status, stdout, .. } = self
            .inside(Path::new("timeout"))
            .args([COMMAND, "bash", "-c"])
            .arg(format!("{{ {line}\n}} 2>&1"))
            .env("DIR", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| StartError::Spawn("nsenter".into(), error))?;
        let mut said = String::from_utf8_lossy(&stdout).into_owned();
        if let Some(code) = status.code().filter(|code| *code != 0) {
            said += &format!("[exit status {code}]");
        }
        Ok(said)
    }

    /// A text without the cgroups in which the suite itself is, and so its daemon: a container's are below.
    pub fn without_own_cgroups(&self, text: &str) -> String {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let paths = own.lines().filter_map(|line| line.splitn(3, ':').nth(2)).filter(|path| path.len() > 1);
        paths.fold(text.to_owned(), |text, path| text.replace(path, ""))
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.daemon.as_ref().and_then(|nsenter| child_of(nsenter.id())) {
            let _ = kill(Pid::from_raw(pid as i32), signal);
        }
    }

    /// How the daemon ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.daemon.as_mut().and_then(|daemon| daemon.try_wait().ok().flatten())
    }

    /// Waits until the daemon has ended.
    pub fn await_end(&mut self, within: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.ended() {
                Some(status) => return Some(status),
                None if begun.elapsed() > within => return None,
                None => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket())
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A process of these namespaces, whatever the daemon does.
    pub fn keeper(&self) -> u32 {
        self.keeper
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// Lets paused containers go on: a frozen process is ended by nothing.
    fn thaw(ids: &[String]) {
        for id in ids {
            let _ =
                fs::write(Path::new("/sys/fs/cgroup/freezer").join(CGROUP).join(id).join("freezer.state"), "THAWED");
        }
    }

    /// Removes the cgroups of containers that ended with the namespaces.
    fn remove_cgroups(&self, ids: &[String]) {
        for controller in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            for id in ids {
                let _ = fs::remove_dir(controller.path().join(CGROUP).join(id));
            }
            let _ = fs::remove_dir(controller.path().join(CGROUP));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.daemon.is_some() && self.ended().is_none() {
            self.signal(Signal::SIGTERM);
            self.await_end(STOP);
        }
        let containers = self.beside("ls /var/lib/docker/containers").unwrap_or_default();
        let ids: Vec<String> = containers.split_whitespace().map(str::to_owned).collect();
        Self::thaw(&ids);
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        if let Some(daemon) = &mut self.daemon {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        // The kernel takes a moment to end what was in them.
        let begun = Instant::now();
        while Path::new(&format!("/proc/{}", self.keeper)).exists() && begun.elapsed() < START {
            thread::sleep(Duration::from_millis(10));
        }
        self.remove_cgroups(&ids);
    }
}

/// The exit status as the recordings tell it: the code, or minus the signal.
pub(super) fn told(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
}

fn child_of(pid: u32) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let child = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        (parent.parse() == Ok(pid)).then_some(child)
    })
}
