//! What engine and shim say to each other.
//!
//! Each run of a container has one shim: a small process that makes the container, owns its stdio and its log, and
//! outlives the daemon. The engine [`spawn`]s it, or [`connect`]s to it again at [`SOCKET`] in the container's runtime
//! directory. On every connection the shim speaks first, with [`Hello`]; then the engine asks ([`Request`]) and the
//! shim answers in the order of the questions ([`Answer`]), save where a variant says that it takes time; events come
//! in between to connections that subscribed.
//!
//! ```text
//! spawn ─▶ Hello ─▶ Attach* ─▶ Start ─▶ Started … Event::Exited ─▶ Shutdown
//! ```
//!
//! Messages are JSON behind two lengths (see [`Inbox`]): they are few (a handful in a life), additive across releases,
//! and readable in a trace. Clients' bytes never travel in them: a client's socket itself does, as a passed
//! descriptor, and the shim frames and writes output directly to it.
//!
//! [`ShimClient`] is the blocking client. An async one wraps [`Inbox`] and [`Outbox`], which do one system call on a
//! socket that may be non-blocking, and know nothing else of I/O.

#![forbid(unsafe_code)]

mod capability;
mod cgroups;
mod client;
mod container;
mod failure;
mod inside;
mod message;
mod process;
mod spawn;
mod stats;
mod wire;

pub use capability::Capabilities;
pub use cgroups::{Cgroups, DeviceAccess, DeviceKind, DeviceRule, Limits};
pub use client::{ClientError, ShimClient};
pub use container::{ContainerSpec, DeviceNode, Log, Mount, MountSource, Namespace, Namespaces};
pub use failure::Failure;
pub use inside::{SystemMounts, default_device_rules, default_devices, read_only_proc_paths};
pub use message::{
    Answer, Attach, Event, ExecStatus, Exit, Framing, Hello, InitStatus, InputEnd, Message, Note, Process, Refusal,
    Reply, Request, Status, Streams, VERSION,
};
pub use process::{ProcessSpec, Rlimit};
pub use spawn::{CleanupError, SOCKET, cleanup, connect, spawn};
pub use stats::{BlkioEntry, Cpu, Interface, Memory, Sample};
pub use wire::{Envelope, Inbox, MAX_MESSAGE, Outbox, WireError};
