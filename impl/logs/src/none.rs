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
