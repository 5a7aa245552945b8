//! Why the engine refused or failed.
//!
//! One variant per thing that clients of some version can tell apart. No client reads these words: the view binds each
//! variant to the recorded text.

use drydock_core::{Id, Name};
use drydock_shim_protocol::Failure;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Why the engine refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum Error {
    // Finding things
    #[error("no container {0}")]
    NoSuchContainer(String),
    #[error("an empty reference")]
    EmptyReference,
    #[error("{0} begins several ids")]
    AmbiguousReference(String),
    #[error("no exec {0}")]
    NoSuchExec(String),

    // What was asked
    #[error("{0:?} is no container name")]
    NameMalformed(String),
    #[error("the name {name} is taken by {by}")]
    NameTaken { name: Name, by: Id },
    #[error("no new name")]
    NoNewName,
    #[error("no command")]
    NoCommand,
    #[error("no exec command")]
    NoExecCommand,
    #[error("memory below {minimum} bytes")]
    MemoryTooSmall { minimum: i64 },
    #[error("a swap limit without a memory limit")]
    SwapWithoutMemory,
    #[error("swap and memory below memory")]
    SwapBelowMemory,
    #[error("blkio weight outside 10 to 1000")]
    BlkioWeight,
    #[error("the working directory {0} is not absolute")]
    WorkingDirRelative(String),
    #[error("{0:?} is no security option")]
    SecurityOption(String),
    #[error("volumes")]
    Volume(#[source] VolumeError),
    #[error("{0:?} is no link")]
    LinkMalformed(String),
    #[error("no container {0} to link to")]
    LinkMissing(String),
    #[error("no parent for the link {0}")]
    LinkParent(String),
    #[error("no link {0}")]
    NoSuchLink(String),
    #[error("a container's own name is no link")]
    NameIsNoLink,
    #[error("options of a driver that is gone")]
    LxcOptions,
    #[error("{0:?} is no port")]
    PortMalformed(String),
    #[error("{0:?} is no signal")]
    SignalMalformed(String),
    #[error("an empty path")]
    EmptyPath,

    // States
    #[error("{0} is not running")]
    NotRunning(Id),
    #[error("{0} is paused")]
    Paused(Id),
    #[error("{0} is already paused")]
    AlreadyPaused(Id),
    #[error("{0} is not paused")]
    NotPaused(Id),
    #[error("{0} waits to be restarted: it has no process")]
    BetweenRuns(Id),
    #[error("{0} runs, so it cannot be removed")]
    RunningNotRemoved(Id),
    #[error("{0} is being removed")]
    BeingRemoved(Id),
    #[error("the exec {0} runs already")]
    ExecRunning(Id),
    #[error("the exec {0} does not run")]
    ExecNotRunning(Id),

    // Doing it
    #[error("starting")]
    Start(#[source] StartFailure),
    #[error("ps: exit status {status}")]
    Ps { status: i32, stderr: String },
    #[error("ps shows no PID")]
    PsWithoutPid,
    #[error("logs of the driver {0} cannot be read")]
    LogsUnreadable(String),
    #[error("the engine shuts down")]
    ShuttingDown,

    // The world
    #[error("images")]
    Images(#[from] drydock_images::Error),
    #[error("layers")]
    Layers(#[from] drydock_layers::Error),
    #[error("the metadata store at {path}")]
    Store {
        path: PathBuf,
        #[source]
        source: std::sync::Arc<StoreError>,
    },
    #[error("{what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the shim")]
    Shim(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with the volumes that were asked for. Kept with a container whose start failed of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum VolumeError {
    #[error("{0:?} is no volume specification")]
    Specification(String),
    #[error("the volume's host path {0:?} is not absolute")]
    Relative(String),
    #[error("a bind without a source")]
    NoSource,
    #[error("{mode:?} is no mode of a volume, in {specification:?}")]
    Mode { specification: String, mode: String },
    #[error("two volumes at {path}: {source_path} and {other}")]
    Twice { path: String, source_path: String, other: String },
    #[error("a volume over the file {0}")]
    OverFile(PathBuf),
    #[error("no container {0} to take volumes from")]
    FromMissing(String),
    #[error("a volume at the root")]
    AtRoot,
}

/// Why the metadata store refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StoreError {
    #[error("the database")]
    Database(#[from] Box<redb::Error>),
    #[error("format {found}, newer than {known}")]
    NewerFormat { found: u32, known: u32 },
    #[error("the record of {id}")]
    Record {
        id: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("a fault")]
    Fault(#[from] io::Error),
    #[error("the store is closed")]
    Closed,
}

/// Why a container or an exec did not come to run. Kept with the container, since inspect tells it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum StartFailure {
    #[error("the container {0} to share with does not run")]
    IpcTargetNotRunning(String),
    #[error("the container {0} to share the network with does not run")]
    NetworkTargetNotRunning(String),
    #[error("the container {0} to share the network with is the container itself")]
    NetworkOfItsOwn(String),
    #[error("no container {0} to share the network with")]
    SharedMissing(String),
    #[error("no container {0} to share with")]
    IpcTargetMissing(String),
    #[error("no container named to share with")]
    SharedEmpty,
    #[error("{child} linked as {alias} does not run")]
    LinkNotRunning { child: String, alias: String },
    #[error("no network {0}")]
    NetworkMissing(String),
    #[error("{0} is no capability to add")]
    CapabilityToAdd(String),
    #[error("{0} is no capability to drop")]
    CapabilityToDrop(String),
    #[error("{0} is no ulimit")]
    UlimitName(String),
    #[error("the working directory {0} is no directory")]
    WorkingDirNotADirectory(String),
    #[error("volumes")]
    Volume(#[source] VolumeError),
    #[error("the link to {0} needs an address of its own")]
    LinkWithoutAddress(String),
    #[error("{0:?} is no address of the host")]
    HostAddress(String),
    #[error("{0:?} is no port of the host")]
    HostPort(String),
    #[error("{0:?} is no protocol of a port")]
    PortProtocol(String),
    #[error("{0:?} is no line for the hosts file")]
    ExtraHost(String),
    #[error("the host name {0:?} was refused")]
    Hostname(String),
    #[error("no rule for the port {0}")]
    PortRule(String),
    #[error("{address}:{port} is published already")]
    PortTaken { address: String, port: u16 },
    #[error("listening on {protocol} {address}:{port}: errno {errno}")]
    PortListen { protocol: String, address: String, port: u16, errno: i32 },
    #[error("no address left")]
    AddressesUsedUp,
    #[error("device {path}: errno {errno}")]
    DeviceMissing { path: String, errno: i32 },
    #[error("{0} is no device")]
    NotADevice(String),
    #[error("no log driver {0}")]
    LogDriverUnknown(String),
    #[error("no option {option} of the log driver {driver}")]
    LogOptionUnknown { driver: String, option: String },
    #[error("the log driver {driver}: {reason}")]
    LogDriver { driver: String, reason: String },
    #[error("the step {step}: errno {errno}: {detail}")]
    Step { step: String, errno: i32, detail: String },
    /// What the shim found when it made the container.
    #[error("running it")]
    Run(#[source] Failure),
}

impl StartFailure {
    /// Whether everything was prepared, so that it failed where the program was to be executed. Older daemons told
    /// `start` before that point.
    #[must_use]
    pub fn at_execution(&self) -> bool {
        match self {
            Self::CapabilityToAdd(_) | Self::CapabilityToDrop(_) | Self::Hostname(_) => true,
            Self::Run(failure) => !matches!(failure, Failure::Log { .. } | Failure::WorkingDir { .. }),
            _ => false,
        }
    }
}
