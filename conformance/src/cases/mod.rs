//! Checks that the spec alone gives, for every endpoint, outcome and field of a version: nobody writes them by hand.
//!
//! [`Ledger`] holds exchanges against the spec, one after another, whether they were just made or recorded, and keeps
//! a finding per check: `route E`, `case E/OUTCOME`, `field E /POINTER`, `framing E`. [`probes`] and
//! [`absent_routes`] make the requests for it that no scenario makes: for an outcome's `when`, and to what a version
//! lacks.

mod fields;
mod framing;
mod ledger;
mod probes;
mod routes;

pub use ledger::{Ledger, Situation};
pub use probes::{ContainerState, OBJECT, Probe, RightRequests, probes, right_requests};
pub use routes::absent_routes;
