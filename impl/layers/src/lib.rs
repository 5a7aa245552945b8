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
mod compression;
mod copy;
mod digest;
mod driver;
mod error;
mod files;
mod init;
mod mount;
mod pack;
mod path;
mod remove;
mod rootfs;
mod store;
pub mod tar;
mod tree;
mod unpack;
mod whiteout;

pub use chain::{Chain, LayerId};
pub use changes::{Change, ChangeKind, DirectoryTimes};
pub use compression::Compression;
pub use copy::Copy;
pub use digest::{Digest, Digesting};
pub use driver::{DriverKind, Plan};
pub use error::{Error, Result};
pub use mount::Mount;
pub use pack::{Graft, pack_directory};
pub use rootfs::Rootfs;
pub use store::{Layer, Layers, Unpacked};
pub use unpack::{Totals, unpack_into};
