//! The domain: containers, execs and events, and what can be done to them.
//!
//! [`Engine`] has one function per thing a client can ask. Each takes a command, typed and with its policy: this crate
//! knows neither HTTP nor API versions. Answers are full snapshots, which views cut to their version's shape.

#![forbid(unsafe_code)]

mod chores;
mod config;
mod container;
mod containers;
mod engine;
mod error;
mod events;
mod exec;
mod links;
mod names;
mod open;
mod registry;
mod restart_policy;
mod run;
mod settings;
mod snapshot;
mod state;
mod store;
mod streams;
mod target;
mod undo;
mod volumes;

pub use config::{
    ContainerConfig, CreateRules, Device, EarlyLimits, HostConfig, InsideRules, IpcTarget, KeyValue, LogConfig,
    PortBinding, PortBindings, RestartPolicy, Ulimit,
};
pub use containers::*;
pub use engine::{Counts, Engine};
pub use error::{Error, StartFailure, StoreError, VolumeError};
pub use events::{Action, Death, Event, EventStream, Events};
pub use exec::{ExecCreate, ExecInspection, ExecResize, ExecSession, ExecStart, ExecState};
pub use restart_policy::RetryCounting;
pub use settings::Settings;
pub use snapshot::{HostFiles, NetworkSettings, Sizes, Snapshot, Volume};
pub use state::{Exit, ExitCodes, Exited, Running, SignalCode, State};
pub use streams::{ByteStream, ClientSocket, Framing, written};
pub use target::{Lookup, Target};
pub use volumes::VolumePlace;
