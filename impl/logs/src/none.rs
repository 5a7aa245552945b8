//! `none`: output is not kept.

use crate::{Driver, Error, Flushed, LogConfig, Stream, Writer};
use drydock_core::Timestamp;

pub(crate) struct Nowhere;

impl Driver for Nowhere {
    fn name(&self) -> &'static str {
        "none"
    }

    fn open(&self, _: &LogConfig) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(Self))
    }
}

impl Writer for Nowhere {
    fn write(&mut self, _: Stream, _: &[u8], _: Timestamp) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        Ok(Flushed::All)
    }

    fn end(&mut self, _: Stream, _: Timestamp) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self, _: Timestamp) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::log_driver_suite;
    use crate::{Error, Query, open, read};

    struct Nothing;

    fn config() -> LogConfig {
        LogConfig { driver: "none".into(), ..LogConfig::default() }
    }

    impl crate::suite::Bench for Nothing {
        const WHOLE_LINES: bool = true;

        fn new() -> Self {
            Self
        }

        fn writer(&self) -> Box<dyn Writer> {
            open(&config()).unwrap()
        }

        fn lines(&self, _: usize) -> Option<Vec<(Stream, Vec<u8>)>> {
            None
        }
    }

    log_driver_suite!(Nothing);

    #[test]
    fn what_is_not_kept_cannot_be_read() {
        for driver in ["none", "syslog", "journald"] {
            let config = LogConfig { driver: driver.into(), ..LogConfig::default() };
            assert!(matches!(read(&config, Query::default()), Err(Error::Unreadable(name)) if name == driver));
        }
    }
}
