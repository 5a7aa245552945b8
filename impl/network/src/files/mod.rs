//! The files that tell a container of its network: `hosts`, `resolv.conf`, `hostname`. Texts only; the engine owns the
//! files.

mod hosts;
mod resolv;

pub use hosts::Hosts;
pub use resolv::ResolvConf;

/// Content of `/etc/hostname`: a line.
#[must_use]
pub fn hostname(name: &str) -> String {
    format!("{name}\n")
}
