//! Why a log could not be written or read.

use std::io;
use std::path::PathBuf;

/// Why a log could not be written or read. The texts of `Dial`, `NoSyslog` and `NoJournal` are what clients read behind
/// the version's own words (recordings `daemon/log-driver-…`, `containers.logs/driver-…`).
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    #[error("no log driver {0:?}")]
    UnknownDriver(String),
    #[error("what the log driver {0} was given cannot be read back")]
    Unreadable(&'static str),
    #[error("{address:?} is no address for a log")]
    Address { address: String },
    #[error("no address of the host {host:?}")]
    Resolve {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("dial {network} {address}: {}", lower(.source))]
    Dial { network: &'static str, address: String, source: io::Error },
    #[error("Unix syslog delivery error")]
    NoSyslog,
    #[error("journald is not enabled on this host")]
    NoJournal,
    #[error("the log file {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("sending to the {driver} receiver")]
    Send {
        driver: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("{lines} lines were dropped: the {driver} receiver takes too few")]
    Dropped { driver: &'static str, lines: u64 },
}

/// An errno in the words that Go has for it: the kernel's, in lower case.
fn lower(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => nix::errno::Errno::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    }
}
