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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;
    use crate::suite::log_driver_suite;

    struct InDirectory(tempfile::TempDir);

    impl InDirectory {
        fn config(&self) -> LogConfig {
            LogConfig { path: self.0.path().join("log"), ..LogConfig::default() }
        }
    }

    impl crate::suite::Bench for InDirectory {
        const WHOLE_LINES: bool = true;

        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn writer(&self) -> Box<dyn Writer> {
            crate::open(&self.config()).unwrap()
        }

        fn lines(&self, _: usize) -> Option<Vec<(Stream, Vec<u8>)>> {
            let mut reader = crate::read(&self.config(), Query::default()).unwrap();
            let mut lines: Vec<(Stream, Vec<u8>)> = Vec::new();
            while let Some(entry) = reader.next().unwrap() {
                if entry.begins_line() {
                    lines.push((entry.stream(), Vec::new()));
                }
                if let Some((_, line)) = lines.last_mut() {
                    entry.push_text(line);
                }
            }
            for (_, line) in &mut lines {
                assert_eq!(line.pop(), Some(b'\n'));
            }
            Some(lines)
        }
    }

    log_driver_suite!(InDirectory);
}
