//! One run of a container: from the shim that makes it to the teardown after its exit.
//!
//! [`launch`] puts everything in place and starts the shim; what it made is owned by guards until the run owns it, so
//! a launch that fails at any step leaves nothing. [`supervise`] hears the shim's events and ends the run. What the
//! run held is torn down afterwards as a chore: clients do not wait for it, the next start and shutdown do.

mod begin;
mod finish;
mod launch;
mod live;
mod network_facts;
mod place;
mod publish;
mod shim;
mod spec;
mod supervise;

pub(crate) use launch::refusal;
pub(crate) use live::{Live, sample};
pub(crate) use shim::{Shim, ShimError, ShimEvents, Stream};
pub(crate) use spec::{capabilities, environment, rlimits};
pub(crate) use supervise::supervise;
