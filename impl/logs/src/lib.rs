//! Log drivers: where a container's output is kept or sent, and reading it back where it is kept.
//!
//! The shim writes: it [`open`]s a [`Writer`] and gives it the bytes of stdout and stderr as they come, cut anywhere.
//! The writer makes lines of them. Nothing here has a runtime or a thread, and memory is bounded whatever comes.
//!
//! ```no_run
//! # fn main() -> Result<(), drydock_logs::Error> {
//! use drydock_core::Timestamp;
//! use drydock_logs::{Flushed, LogConfig, Query, Stream, open, read};
//!
//! let config = LogConfig { driver: "json-file".into(), path: "/tmp/c-json.log".into(), ..LogConfig::default() };
//! let mut log = open(&config)?;
//! log.write(Stream::Stdout, b"hello\n", Timestamp::now())?;
//! assert_eq!(log.flush()?, Flushed::All);
//!
//! let mut lines = read(&config, Query::default())?;
//! while let Some(entry) = lines.next()? {
//!     println!("{} {:?}", entry.time(), entry.stream());
//! }
//! # Ok(()) }
//! ```
//!
//! The daemon reads: [`read`] gives a [`Reader`]; to follow, it waits on a [`Watch`], which the writer's writes wake.
//! It also calls [`prepare`] before a start, which finds bad configurations and resolves host names, so that the shim
//! need not.

#![forbid(unsafe_code)]

mod config;
mod driver;
mod error;
mod journald;
mod json_file;
mod lines;
mod none;
mod query;
mod sender;
#[cfg(test)]
mod suite;
mod syslog;
mod watch;

pub use config::{LogConfig, prepare};
pub use driver::{Driver, Flushed, Stream, Writer, driver, driver_names, open, read};
pub use error::Error;
pub use json_file::{Entry, Reader};
pub use query::{Query, Tail};
pub use watch::Watch;
