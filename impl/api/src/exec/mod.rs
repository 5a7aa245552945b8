//! `/exec`, and `exec` of a container: one file per endpoint.

pub(crate) mod create;
pub(crate) mod inspect;
pub(crate) mod resize;
pub(crate) mod start;
