//! The file system that a container sees.

mod devices;
mod root;
mod target;

pub(crate) use root::{enter_directory, enter_root};
