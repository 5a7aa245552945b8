//! What a client asked of a container: its own configuration, and what it wants of the host.
//!
//! Both are kept whole, also fields that nothing acts on, since inspect shows them. The engine's fields are the newest
//! daemon's; where an older one kept a field elsewhere, the view says so.

mod container;
mod host;

pub use container::{ContainerConfig, EarlyLimits};
pub use host::{Device, HostConfig, KeyValue, LogConfig, PortBinding, PortBindings, RestartPolicy, Ulimit};
