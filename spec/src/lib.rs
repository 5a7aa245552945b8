//! x
#![forbid(unsafe_code)]
pub mod model;
pub mod text;
pub mod version;
mod check {}