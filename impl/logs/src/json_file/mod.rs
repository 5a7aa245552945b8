//! `json-file`: one JSON object a line, `{"log":"…\n","stream":"stdout","time":"…"}`.
//!
//! The file is the one that daemons always wrote, so that other tools read it: Go's JSON escapes, one U+FFFD for each
//! byte that is no UTF-8, times in RFC 3339 with as many decimals as are not zero (recordings `daemon/log-file…` of
//! 1.7.1). A line of output is a line of the file, however long; a last line without a newline gets one.

mod escape;
mod format;
mod reader;
mod spill;
mod tail;
mod text;
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
