//! Images: a graph of parents and children with names pointing into it.
//!
//! [`Images`] is the store, one function per thing that can be done. Everything blocks: callers wrap it; readers never
//! wait for a load or a delete. What was done is on disk when a function returns.

#![forbid(unsafe_code)]

mod create;
mod delete;
mod error;
mod file;
mod graph;
mod image;
mod list;
mod load;
mod pattern;
mod save;
mod store;
mod tag;

pub use delete::{Delete, DeletePolicy, Deleted, User};
pub use error::{Error, Result};
pub use image::{HistoryEntry, Image, Inspection, NewImage};
pub use list::Query;
pub use load::Loaded;
pub use save::Save;
pub use store::Images;
pub use tag::TagPolicy;
