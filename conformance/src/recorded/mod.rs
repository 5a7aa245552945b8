//! The recorded scenarios, run again on a live daemon.
//!
//! The scripts are derived from the recordings when a run begins: request by request what was sent to the genuine
//! daemon of the version, with the scenario's ids replaced by those of now. [`Lane`] runs them in the recorded order;
//! at `exact` [`compare`] holds each answer against the recorded one.

mod beginnings;
mod bodies;
mod compare;
mod lane;
mod naming;
pub mod registry;
#[cfg(test)]
mod rehearsal;
mod rulings;
mod script;

pub use bodies::{Bodies, Image};
pub use compare::{Comparison, compare};
pub use lane::{Lane, Made, Ran};
pub use naming::Naming;
pub use rulings::apply_rulings;
pub use script::{Ruled, Script, Step, scripts};

/// The first words of scenarios whose observations need the daemon's own machine and a daemon of their own.
pub const BESIDE_THE_API: [&str; 4] = ["inside", "network", "life", "daemon"];
