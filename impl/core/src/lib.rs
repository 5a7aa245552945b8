//! Words that every crate of the daemon shares: ids, names, image references, times, and named fault points.
//!
//! No I/O, no locks, no policy: grammars that differed between daemons are parameters, never version numbers.

#![forbid(unsafe_code)]

pub mod fault;
mod human;
mod id;
mod name;
mod reference;
mod time;

pub use human::human_duration;
pub use id::{Id, ParseIdError};
pub use name::{Name, NameGrammar, ParseNameError};
pub use reference::{ImageReference, RepositoryError, RepositoryRules, Selector, TagError, TagRules};
pub use time::{ParseTimestampError, Timestamp};
