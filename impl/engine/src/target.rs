//! How a client names a container.

use drydock_core::Id;
use serde::{Deserialize, Serialize};

/// A container as a client wrote it: id, beginning of an id, or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The text as it came, without the leading slash of names.
    pub reference: String,
    /// What it may mean first.
    pub lookup: Lookup,
}

/// Which meaning of a reference goes first, and what becomes of a prefix of several ids. A full id goes before both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// A prefix of one id goes before a name; a prefix of several finds nothing. Older daemons.
    PrefixFirst,
    /// A name goes before a prefix; a prefix of several ids is an error of its own. Newer daemons.
    NameFirst,
}

impl Target {
    /// What `reference` means under `lookup`.
    #[must_use]
    pub fn new(reference: impl Into<String>, lookup: Lookup) -> Self {
        Self { reference: reference.into(), lookup }
    }
}

impl From<Id> for Target {
    fn from(id: Id) -> Self {
        Self { reference: id.to_string(), lookup: Lookup::NameFirst }
    }
}
