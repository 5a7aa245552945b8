//! A `drydockd` of the suite's own, in mount and network namespaces of its own, gone when the run is.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::options::Daemon;
use crate::exchange::{Address, Client, Limits, Request};

/// How long it may take to answer.
const START: Duration = Duration::from_secs(20);
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(15);

/// What the recorded daemons had around them: a name of their own, no name server that answers, and a /var/tmp of
/// their own to be bound.
const SURROUNDINGS: &str = r#"set -e
ip link set lo up
echo drydockhost > /proc/sys/kernel/hostname
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
unset FOLDER
exec "$0" "$@""#;

/// Why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder cannot be made.
    #[error("making a folder for drydockd")]
    Folder(#[source] io::Error),
    /// The program cannot be run.
    #[error("running {0}")]
    Spawn(PathBuf, #[source] io::Error),
    /// It ended before it answered.
    #[error("drydockd ended with {status} before it answered; its last words:\n{log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It does not answer.
    #[error("drydockd did not answer in time; its last words:\n{0}")]
    Silent(String),
}

/// A running daemon; stopped and removed when dropped.
#[derive(Debug)]
pub struct OwnDaemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl OwnDaemon {
    /// Starts one and waits until it answers.
    pub fn start(programs: &Daemon) -> Result<Self, StartError> {
        // Not in /tmp: that may be a tmpfs, on which overlayfs and large images fare badly.
        let base = programs.daemon.parent().unwrap_or(Path::new("/var/tmp"));
        let folder = tempfile::Builder::new().prefix("conformance-").tempdir_in(base).map_err(StartError::Folder)?;
        let at = folder.path();
        let log = File::create(at.join("log")).map_err(StartError::Folder)?;
        let errors = log.try_clone().map_err(StartError::Folder)?;
        fs::write(at.join("resolv.conf"), "nameserver 192.0.2.53\n").map_err(StartError::Folder)?;
        // exec all the way: the child is the daemon. Mounts and network end with its namespaces.
        let child = Command::new("unshare")
            .args(["--mount", "--net", "--uts", "--propagation", "private", "--", "sh", "-c"])
            .arg(SURROUNDINGS)
            .env("FOLDER", at)
            .arg(&programs.daemon)
            .arg("-H")
            .arg(format!("unix://{}", at.join("drydock.sock").display()))
            .arg("-g")
            .arg(at.join("root"))
            .arg("-p")
            .arg(at.join("pid"))
            .arg("--exec-root")
            .arg(at.join("exec"))
            .arg("--shim")
            .arg(&programs.shim)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| StartError::Spawn(programs.daemon.clone(), error))?;
        let mut daemon = Self { child, folder };
        let (socket, log) = (daemon.socket(), daemon.folder.path().join("log"));
        await_answer(&socket, &log, || daemon.ended())?;
        Ok(daemon)
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address::Unix(self.socket())
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("drydock.sock")
    }

    /// Its process, whose namespaces are its own.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        last_words(&self.folder.path().join("log"))
    }

    /// Whether it still runs; else how it ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

impl Drop for OwnDaemon {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let pid = Pid::from_raw(self.child.id() as i32);
        let _ = kill(pid, Signal::SIGTERM);
        let begun = Instant::now();
        while begun.elapsed() < STOP {
            if self.ended().is_some() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the daemon that listens on `socket` and writes to `log` answers.
pub(crate) fn await_answer(
    socket: &Path,
    log: &Path,
    mut ended: impl FnMut() -> Option<ExitStatus>,
) -> Result<(), StartError> {
    let begun = Instant::now();
    let client = Client::new(Address::Unix(socket.to_owned()), Limits::default().within(Duration::from_secs(2)));
    while begun.elapsed() < START {
        if let Some(status) = ended() {
            return Err(StartError::Ended { status, log: last_words(log) });
        }
        if socket.exists() && client.send(Request::new("GET", "/_ping")).status() == Some(200) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(StartError::Silent(last_words(log)))
}

/// The end of a log.
fn last_words(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
