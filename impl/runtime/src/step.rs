//! Steps of a start: each has a name that a failure tells and that a test can strike.

use drydock_core::fault;
use drydock_shim_protocol::Failure;
use rustix::io::Errno;

/// Names what failed.
pub(crate) trait Step<T> {
    /// The failure of the step `name`; `detail` is what it was done to.
    fn step(self, name: &str, detail: impl std::fmt::Display) -> Result<T, Failure>;
}

impl<T> Step<T> for Result<T, Errno> {
    fn step(self, name: &str, detail: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|errno| Failure::Step {
            step: name.to_owned(),
            errno: errno.raw_os_error(),
            detail: detail.to_string(),
        })
    }
}

impl<T> Step<T> for std::io::Result<T> {
    fn step(self, name: &str, detail: impl std::fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| errno(&error)).step(name, detail)
    }
}

/// Passes the fault point `name`, which is the step's name, too.
pub(crate) fn point(name: &'static str) -> Result<(), Failure> {
    fault::point(name).step(name, "a fault")
}

pub(crate) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
