//! `syslog`.

use crate::{Driver, Error, LogConfig, Writer};

pub(crate) struct Syslog;

impl Driver for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn open(&self, _: &LogConfig) -> Result<Box<dyn Writer>, Error> {
        Err(Error::NoSyslog)
    }
}
