//! How a container is made: namespaces, cgroups, mounts, capabilities.
//!
//! ```text
//! Cgroup::make ─▶ stdio::pipes | terminal ─▶ Container::start ─▶ Container::exec*
//! ```
//! For a process with one thread (the shim): children are copies of it that set themselves up and become the
//! program. Needs a kernel of 5.12 or later (`clone3`, `openat2`, `open_tree`, `mount_setattr`).
//!
//! Unsafe code is in `sys` alone.

mod cgroup;
mod cleanup;
mod container;
mod credentials;
mod environment;
mod mounts;
mod namespaces;
mod process;
mod report;
mod rootless;
pub mod stdio;
mod step;
#[allow(unsafe_code)]
mod sys;
mod user;

pub use cgroup::{Cgroup, OomWatch, remove_unused_parent};
pub use cleanup::{CleanupError, cleanup, kill};
pub use container::Container;
pub use credentials::capabilities_withheld;
pub use rootless::{become_root, is_root};
pub use sys::{Child, keep_descriptors, send_signal, set_undumpable};
