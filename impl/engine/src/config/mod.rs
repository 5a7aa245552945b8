//! What a client asked of a container: its own configuration, and what it wants of the host.
//!
//! Both are kept whole, also fields that nothing acts on, since inspect shows them. The engine's fields are the newest
//! daemon's; where an older one kept a field elsewhere, the view says so.

mod check;
mod container;
mod host;
mod inside;
mod merge;

pub use check::{CreateRules, IpcTarget};
pub use container::{ContainerConfig, EarlyLimits};
pub use host::{Device, HostConfig, KeyValue, LogConfig, PortBinding, PortBindings, RestartPolicy, Ulimit};
pub use inside::InsideRules;

pub(crate) use check::{check_security_options, effective_limits};
pub(crate) use merge::merge;
