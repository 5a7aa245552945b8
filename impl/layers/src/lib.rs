//! Layers: the files that an image adds to its parent's, and the files that a container writes over its image's.
//!
//! [`Layers`] is the store. [`Layers::unpack`] turns an archive into a staged layer, [`Unpacked::keep`] gives it its
//! name; a [`Chain`] of layers is what a container sees beneath its own [`Rootfs`]. How a rootfs comes together is the
//! affair of a [driver](DriverKind): overlayfs where the kernel lets us, else plain copies.
//!
//! Everything blocks: callers wrap it. Everything streams: an archive is never held in memory.

#![forbid(unsafe_code)]

mod chain;
mod changes;
mod driver;
mod error;
mod mount;
mod rootfs;
mod store;
pub mod tar;

pub use chain::{Chain, LayerId};
pub use changes::{Change, ChangeKind, DirectoryTimes};
pub use driver::{DriverKind, Plan};
pub use error::{Error, Result};
pub use mount::Mount;
pub use rootfs::{Copy, Graft, Rootfs};
pub use store::{Layer, Layers};
