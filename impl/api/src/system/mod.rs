//! The daemon itself: one file per endpoint.

pub(crate) mod auth;
pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod ping;
pub(crate) mod version;
