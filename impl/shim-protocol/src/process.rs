//! What a process in a container is started with.

use crate::Capabilities;
use serde::{Deserialize, Serialize};

/// A process: a container's first one, or an exec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Program and arguments. A program without a slash is looked for in the `PATH` of [`Self::env`].
    pub args: Vec<String>,
    /// `NAME=value`, as the process will see it. An entry without `=` is left out.
    pub env: Vec<String>,
    /// `HOME`, where the environment has none, is the user's from the container's `passwd` (`/` when it knows none).
    pub set_home: bool,
    /// Absolute; made (mode 755, root's) when missing. Empty: the root.
    pub cwd: String,
    /// `user`, `uid`, `user:group`, `uid:gid`; names are looked up in the container's `passwd` and `group`. Empty:
    /// root.
    pub user: String,
    /// A terminal for stdin, stdout and stderr.
    pub tty: bool,
    /// Stdin is a pipe that clients write to; else (and without a terminal) it is `/dev/null`.
    pub stdin: bool,
    /// Stdin ends when the first client that attached it leaves.
    pub stdin_once: bool,
    /// A session of its own. Always so with a terminal, and for the first process.
    pub own_session: bool,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Resource limits.
    pub rlimits: Vec<Rlimit>,
}

/// A resource limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// The kernel's number, as `RLIMIT_NOFILE` is 7.
    pub resource: u32,
    /// `u64::MAX`: unlimited.
    pub soft: u64,
    /// `u64::MAX`: unlimited.
    pub hard: u64,
}

impl Rlimit {
    /// The kernel's number of a limit's name, as `nofile`. The names are those of `ulimit` options.
    #[must_use]
    pub fn by_name(name: &str) -> Option<u32> {
        NAMES.iter().position(|known| *known == name).map(|at| at as u32)
    }
}

/// At their numbers, which are those of x86-64 and arm64 alike.
const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];
