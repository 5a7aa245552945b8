//! Requests, answers and events.

use crate::{ContainerSpec, Failure, ProcessSpec, Sample};
use drydock_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the protocol. Grows when an old daemon could misunderstand a new shim or the other way round; new fields
/// and variants that the other side may ignore do not count.
pub const VERSION: u32 = 1;

/// The shim's first message on every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The shim's [`VERSION`].
    pub version: u32,
    /// The shim's own process.
    pub pid: u32,
}

/// All that a shim says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// First on a connection.
    Hello(Hello),
    /// To one request.
    Reply(Reply),
    /// To all connections that subscribed; [`Event::StreamEnded`] only to the one that attached the stream.
    Event(Event),
}

/// Whom a request is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Process {
    /// The container's first process.
    Init,
    /// An exec, by the id that [`Request::Exec`] gave it.
    Exec(String),
}

/// A request and the number that its reply repeats. The numbers are the client's; one that is in use on a connection
/// must not be used again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Numbered {
    pub(crate) serial: u64,
    pub(crate) request: Request,
}

/// What the engine asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Make the container and run its first process. Once per shim. Answer: `Started`.
    Start(Box<ContainerSpec>),
    /// A client's socket, passed with the message, becomes stdio. It may come before the process starts: then not a
    /// byte of output is missed. The message's blob is the input that the engine had already read. Answer: `Attached`;
    /// [`Event::StreamEnded`] with this request's serial when it is over.
    ///
    /// The shim shuts the socket down at the end, so that the peer sees it even while the engine holds a copy; but it
    /// leaves it alone when the process it was meant for fails to start, so that the engine can write what failed.
    Attach(Attach),
    /// Lets an attached stream that was held flow. Answer: `Done`.
    Release {
        /// The serial of its `Attach`.
        stream: u64,
    },
    /// Run another program in the container. Clients attach before. Answer: `Started`.
    Exec {
        /// Its name from now on.
        id: String,
        /// What runs.
        process: Box<ProcessSpec>,
    },
    /// Forget an exec that exited: its exit is known. Until then the shim keeps it. Answer: `Done`.
    Forget {
        /// Which.
        exec: String,
    },
    /// Send a signal. Answer: `Done`; [`Refusal::NotRunning`] when it exited.
    Signal {
        /// To whom.
        process: Process,
        /// The kernel's number.
        signal: i32,
    },
    /// Freeze all processes. Answer: `Done` once all are frozen.
    Pause,
    /// Thaw them. Answer: `Done`.
    Unpause,
    /// Set a terminal's window. Answer: `Done`, also where there is no terminal.
    Resize {
        /// Whose.
        process: Process,
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// Write all output that was produced until now to the log. Answer: `Logged`.
    SyncLog,
    /// Measure. Answer: `Sample`.
    Stats,
    /// Process ids in the container, as the host numbers them. Answer: `Processes`.
    Processes,
    /// Events on this connection from now on. Answer: `Status`, which holds all that earlier events told.
    Subscribe,
    /// How things are. Answer: `Status`.
    Status,
    /// After the exit (or without a start): remove the cgroups and the socket, and end. Clients that have not yet
    /// taken all their bytes are served on, as long as they take some. Answer: `Done` when nothing is left;
    /// [`Refusal::Running`] while the container runs.
    Shutdown,
}

/// A client's wish.
///
/// Output is written to a client as it comes. What it does not take at once waits: 64 KB in memory, then up to 1 GB in
/// a file without a name in [`crate::ContainerSpec::spool`]; a client further behind is let go. So a slow client slows
/// neither the log nor other clients. Only where no log is kept and every client lags does the process wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// To whom.
    pub process: Process,
    /// Which streams.
    pub streams: Streams,
    /// How output is written.
    pub framing: Framing,
    /// What the end of the client's input means.
    pub input_end: InputEnd,
    /// Output waits (kept, never lost) until [`Request::Release`], so that the engine can first write the log up to
    /// the position that `Attached` tells. A client held by a connection that ends is let go.
    pub hold: bool,
    /// The bytes that let the client go when they come as input (`^P^Q` on a terminal); empty: none.
    pub detach_keys: Vec<u8>,
}

/// Some of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Streams {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

/// How output is written to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// As it comes.
    Raw,
    /// Frames: 1 byte stream (1 stdout, 2 stderr), 3 zero bytes, 4 bytes length (big endian), payload of at most
    /// 65,536 bytes.
    Multiplexed,
}

/// What the end of a client's input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputEnd {
    /// The process's stdin ends, too; its output goes on. On a terminal it is as [`Self::Ignore`].
    Close,
    /// Nothing: another client may write.
    Ignore,
    /// The client is let go.
    Detach,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's.
    pub serial: u64,
    /// Its answer.
    pub result: Result<Answer, Refusal>,
}

/// A request that went well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // Rare, short-lived, one at a time.
pub enum Answer {
    /// Nothing to tell.
    Done,
    /// It runs.
    Started {
        /// As the host numbers it.
        pid: u32,
        /// When it began.
        at: Timestamp,
        /// What was done otherwise than asked.
        notes: Vec<Note>,
    },
    /// The client gets output from here on.
    Attached {
        /// Bytes in the log file at this moment; `None`: the driver writes no file.
        log_position: Option<u64>,
    },
    /// All output until now is in the log.
    Logged {
        /// Bytes in the log file; `None`: the driver writes no file.
        log_position: Option<u64>,
    },
    /// How things are.
    Status(Status),
    /// A measurement.
    Sample(Sample),
    /// Processes, as the host numbers them, ascending.
    Processes(Vec<u32>),
}

/// A request that was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("starting")]
    Failed(#[source] Failure),
    #[error("the process does not run")]
    NotRunning,
    #[error("the container runs")]
    Running,
    #[error("no such exec or stream")]
    Unknown,
    #[error("the exec's name is taken")]
    Taken,
    #[error("a descriptor should have come with the request")]
    NoDescriptor,
    #[error("{what}: errno {errno}")]
    System { what: String, errno: i32 },
    #[error("the request is not understood: {0}")]
    Malformed(String),
}

/// Something done otherwise than asked, that the daemon may tell once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Note {
    /// Capabilities that were asked for and that the daemon itself lacks: a mask.
    CapabilitiesWithheld(u64),
    /// A controller that no hierarchy offers, so that its limits have no effect.
    ControllerMissing(String),
    /// A step that only root can do was left out.
    NeedsRoot(String),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The first process exited; all its output is in the log and with the clients, or in their buffers.
    Exited {
        /// How.
        exit: Exit,
        /// When.
        at: Timestamp,
    },
    /// An exec exited.
    ExecExited {
        /// Which.
        exec: String,
        /// How.
        exit: Exit,
        /// When.
        at: Timestamp,
    },
    /// The kernel killed something in the container for lack of memory.
    OutOfMemory {
        /// When the shim heard of it.
        at: Timestamp,
    },
    /// A client got its last byte, or left, or was let go.
    StreamEnded {
        /// The serial of its `Attach`.
        stream: u64,
    },
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It returned this.
    Code(u8),
    /// It died of this signal.
    Signal(u8),
}

/// How things are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The first process.
    pub init: InitStatus,
    /// All execs that were not forgotten, in the order of their start.
    pub execs: Vec<ExecStatus>,
    /// Whether the processes are frozen.
    pub paused: bool,
    /// Whether something was killed for lack of memory.
    pub out_of_memory: bool,
}

/// How the first process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum InitStatus {
    /// Not started, or the start failed.
    None,
    Running {
        pid: u32,
        since: Timestamp,
    },
    Exited {
        exit: Exit,
        since: Timestamp,
        at: Timestamp,
    },
}

/// How an exec is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecStatus {
    /// Which.
    pub exec: String,
    /// As the host numbers it.
    pub pid: u32,
    /// How and when it ended; `None`: it runs.
    pub exited: Option<(Exit, Timestamp)>,
}
