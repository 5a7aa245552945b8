//! Why a process did not come to run.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Why a container or an exec did not come to run. One variant per thing that old daemons tell apart; clients read the
/// view's words, not these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Failure {
    #[error("the log driver {driver}: {reason}")]
    Log { driver: String, reason: String },
    #[error("no user {0:?}")]
    UserMissing(String),
    #[error("no group {0:?}")]
    GroupMissing(String),
    #[error("a uid or gid out of range")]
    IdOutOfRange,
    #[error("no program to run")]
    NoProgram,
    #[error("executable {0:?} not in the path")]
    ExecutableNotInPath(String),
    /// Looked at before the kernel is asked to run it: errno of `stat`, or `EACCES` for a directory or a file without
    /// an execute bit.
    #[error("executable {path}: errno {errno}")]
    Executable { path: String, errno: i32 },
    /// The kernel refused to run it, as a file of an unknown format.
    #[error("running {path}: errno {errno}")]
    Execute { path: String, errno: i32 },
    #[error("an environment entry without a name")]
    EnvMalformed,
    #[error("host name: errno {0}")]
    Hostname(i32),
    #[error("domain name: errno {0}")]
    Domainname(i32),
    #[error("rlimit {resource}: errno {errno}")]
    Rlimit { resource: u32, errno: i32 },
    /// `file` as the host sees it.
    #[error("writing {file}: errno {errno}")]
    Cgroup { file: PathBuf, errno: i32 },
    #[error("cpu shares below {0}")]
    CpuSharesBelow(u64),
    #[error("cpu shares above {0}")]
    CpuSharesAbove(u64),
    #[error("mounting on {target}: errno {errno}")]
    Mount { target: PathBuf, errno: i32 },
    #[error("a mount at the root")]
    MountAtRoot,
    #[error("a mount at {0}, inside /proc")]
    MountInProc(PathBuf),
    #[error("joining the namespace {path}: errno {errno}")]
    Namespace { path: PathBuf, errno: i32 },
    #[error("working directory {path}: errno {errno}")]
    WorkingDir { path: String, errno: i32 },
    #[error("the step {step}: errno {errno}: {detail}")]
    Step { step: String, errno: i32, detail: String },
}
