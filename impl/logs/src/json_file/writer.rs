//! Writing.

use crate::{Error, Flushed, Stream, Writer};
use drydock_core::Timestamp;
use std::path::Path;

pub(super) struct JsonFileWriter;

impl JsonFileWriter {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let _ = path;
        todo!()
    }
}

impl Writer for JsonFileWriter {
    fn write(&mut self, _: Stream, _: &[u8], _: Timestamp) -> Result<(), Error> {
        todo!()
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        todo!()
    }

    fn end(&mut self, _: Stream, _: Timestamp) -> Result<(), Error> {
        todo!()
    }

    fn close(&mut self, _: Timestamp) -> Result<(), Error> {
        todo!()
    }
}
