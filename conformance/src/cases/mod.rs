//! Checks that the spec alone gives, for every endpoint, outcome and field of a version: nobody writes them by hand.
//!
//! [`Ledger`] holds exchanges against the spec, one after another, whether they were just made or recorded, and keeps
//! a finding per check: `route E`, `case E/OUTCOME`, `field E /POINTER`, `framing E`. [`absent_routes`] makes the
//! requests that no scenario makes: to what a version lacks.

mod fields;
mod framing;
mod ledger;
mod routes;

pub use ledger::{Ledger, Situation};
pub use routes::absent_routes;
