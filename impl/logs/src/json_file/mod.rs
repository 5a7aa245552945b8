//! `json-file`: one JSON object a line, `{"log":"…\n","stream":"stdout","time":"…"}`.

mod reader;
mod writer;

pub use reader::{Entry, Reader};

use crate::{Driver, Error, LogConfig, Query, Writer};

pub(crate) struct JsonFile;

impl Driver for JsonFile {
    fn name(&self) -> &'static str {
        "json-file"
    }

    fn open(&self, config: &LogConfig) -> Result<Box<dyn Writer>, Error> {
        Ok(Box::new(writer::JsonFileWriter::open(&config.path)?))
    }

    fn read(&self, config: &LogConfig, query: Query) -> Result<Reader, Error> {
        Reader::open(&config.path, query)
    }
}
