//! The only unsafe code: system calls that no crate wraps safely.

mod clone;
mod exec;
mod mount;
mod network;
mod process;

pub use clone::Child;
pub(crate) use clone::clone_process;
pub(crate) use exec::{Program, reset_signals};
pub use exec::{keep_descriptors, set_undumpable};
pub(crate) use mount::set_read_only;
pub(crate) use network::raise_loopback;
pub(crate) use process::new_user_namespace;
pub use process::send_signal;
