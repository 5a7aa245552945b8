//! The Docker Remote API v1.14–v1.19, described for machines.
//!
//! One file per endpoint holds every version of it: parameters, bodies, and the ordered outcomes with status, text,
//! headers and shape per range of versions. `FORMAT.md` beside this crate explains the files; [`model`] is their
//! exact grammar.
//!
//! ```
//! use drydock_spec::{Spec, Version};
//!
//! let spec = Spec::embedded();
//! let version: Version = "1.18".parse()?;
//! let found = spec.routes().find(version, "POST", "/containers/web/rename").expect("1.18 has it");
//! let endpoint = &spec.endpoints()[found.endpoint];
//! assert_eq!((endpoint.id.as_str(), found.variable), ("containers.rename", "web"));
//!
//! let answer = endpoint.answer("no-such-container", version).expect("an outcome of rename");
//! assert_eq!(answer.status.first(), 404);
//! # Ok::<(), drydock_spec::version::UnknownVersion>(())
//! ```
#![forbid(unsafe_code)]

pub mod check;
pub mod clauses;
pub mod entries;
pub mod judge;
mod load;
pub mod model;
pub mod project;
pub mod route;
pub mod schema;
pub mod text;
pub mod version;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub use embedded::{Behaviour, EndpointId};
pub use load::{Error, Problem, Spec};
pub use version::{Meant, Range, VERSIONS, Version};

impl Version {
    /// Whether a named behaviour is so in this version.
    pub fn has(self, behaviour: Behaviour) -> bool {
        Spec::embedded().behaviour(behaviour).versions.contains(self)
    }
}
