//! The conformance suite: holds a daemon, or recordings of one, against the spec of the Docker Remote API v1.14–v1.19.
//!
//! A check is a pure function of exchanges, so each can be held against what genuine daemons did.
#![forbid(unsafe_code)]

pub mod cases;
pub mod evidence;
pub mod exchange;
pub mod judging;
pub mod observed;
pub mod recorded;
pub mod report;
pub mod run;
pub mod scenarios;
pub mod sensitivity;
mod subject;
pub mod verdict;
