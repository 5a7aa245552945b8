//! What the recordings show beside the API, looked at again: inside containers, and beside the daemon.
//!
//! A scenario is what was recorded, in order: requests, which [`Lane`](crate::recorded::Lane) sends again, and looks,
//! each repeated by the probe that its words call for ([`look`]): a shell line in the container, a command beside the
//! daemon, a question to the API. Everything runs in a [`Machine`] of the suite's own: namespaces in which a daemon
//! can be killed and started again while its containers live on.

mod beside;
mod events;
mod inside;
mod look;
mod machine;
mod normal;
mod scenario;
mod stage;
mod state;

pub use machine::{Machine, MachineError};
pub use scenario::{Observed, Part, Scenario, scenarios};
pub use stage::{Done, Stage};
