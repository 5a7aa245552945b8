//! Bringing a shim to life, finding it again, and cleaning up after one that died.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Name of a shim's socket in the container's runtime directory.
pub const SOCKET: &str = "shim.sock";

/// Name of the file in the runtime directory where a shim that breaks says why.
const LAST_WORDS: &str = "shim.err";

/// Spawns a shim for the container whose runtime directory is `dir` (it exists, and no shim is in it). The socket is
/// the shim's first connection: a shim whose first connection ends before `Start` ends, too.
///
/// The child is the caller's to reap, which it does best when the connection ends. It runs in a session of its own and
/// holds nothing of the caller's but the socket. Takes the fast path of the standard library (`posix_spawn`).
///
/// # Errors
/// What the kernel says.
pub fn spawn(program: &Path, dir: &Path) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = command(program, dir)?.arg("run").stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn()?;
    Ok((child, ours))
}

/// Connects to the shim whose runtime directory is `dir`.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` when there is no shim any more.
pub fn connect(dir: &Path) -> io::Result<UnixStream> {
    // A socket's address holds 107 bytes, less than a path may have: go through the directory's descriptor.
    let dir = File::open(dir)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()))
}

/// Why a dead shim's container could not be cleaned up.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CleanupError {
    #[error("running {program}")]
    Run {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{0}")]
    Left(String),
}

/// Ends and removes what a shim that died has left of the container `id`: processes, cgroups, socket. Safe to call
/// for a container that has none of these, and at any point of a start that was cut off.
///
/// `cgroup_parent` is the one of the container's spec. Blocks until all is gone (some milliseconds).
///
/// # Errors
/// When something does not go away.
pub fn cleanup(program: &Path, dir: &Path, id: &str, cgroup_parent: &str) -> Result<(), CleanupError> {
    let run = || command(program, dir)?.args(["cleanup", id, cgroup_parent]).stderr(Stdio::piped()).output();
    let output = run().map_err(|source| CleanupError::Run { program: program.to_owned(), source })?;
    if output.status.success() {
        Ok(())
    } else {
        Err(CleanupError::Left(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

fn command(program: &Path, dir: &Path) -> io::Result<Command> {
    let mut command = Command::new(program);
    let errors = OpenOptions::new().create(true).append(true).open(dir.join(LAST_WORDS))?;
    command.env_clear().current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let fault = OsStr::new("DRYDOCK_FAULT");
    command.envs(std::env::var_os(fault).map(|value| (OsString::from(fault), value)));
    Ok(command)
}
