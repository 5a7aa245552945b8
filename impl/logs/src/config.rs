//! What a log driver is told about its container.

use crate::{Error, driver};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A container's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogConfig {
    /// `json-file`, `syslog`, `journald` or `none`.
    pub driver: String,
    /// The driver's options. Those it does not know are ignored, as the daemons did (recording
    /// `containers.logs/driver-bad-option`).
    pub options: BTreeMap<String, String>,
    /// The file, for a driver that keeps one.
    pub path: PathBuf,
    /// 64 hex digits.
    pub container_id: String,
    /// Without a slash.
    pub container_name: String,
}

impl LogConfig {
    /// The first twelve digits of the id.
    pub(crate) fn short_id(&self) -> &str {
        self.container_id.get(..12).unwrap_or(&self.container_id)
    }
}

/// Finds what is wrong with a configuration before anything is started, and resolves host names in it: [`crate::open`]
/// takes numeric addresses only, since it runs in a program without a resolver. May block on name servers.
///
/// # Errors
/// `UnknownDriver`, `Address`, `Resolve`.
pub fn prepare(config: LogConfig) -> Result<LogConfig, Error> {
    driver(&config.driver)?.prepare(config)
}
