//! Reading back.

use crate::{Error, Query, Stream};
use drydock_core::Timestamp;
use std::path::{Path, PathBuf};

/// A log being read, oldest line first. At the end, [`Self::next`] answers `None`, and answers lines again once the log
/// has grown. A last line that is not yet whole is not told.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
}

/// A line, or a piece of one: lines above 1 MiB come in several entries of the same stream and time.
#[derive(Debug)]
pub struct Entry<'a> {
    text: &'a [u8],
    stream: Stream,
}

impl Reader {
    pub(super) fn open(path: &Path, query: Query) -> Result<Self, Error> {
        let _ = query;
        Ok(Self { path: path.to_owned() })
    }

    /// The next line that was asked for; `None` at the end, for now.
    ///
    /// A line that is no line of such a file (someone else wrote it) is left out.
    ///
    /// # Errors
    /// `File`.
    #[allow(clippy::should_implement_trait)] // Entries borrow the reader's buffer.
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Error> {
        let _ = &self.path;
        todo!()
    }
}

impl Entry<'_> {
    /// Which stream.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// When the line was written.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        todo!()
    }

    /// Whether this is where a line begins: where a time belongs.
    #[must_use]
    pub fn begins_line(&self) -> bool {
        todo!()
    }

    /// Appends the text, with the newline at its end.
    pub fn text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text);
    }

    /// Appends the time in the form of `timestamps=1`: RFC 3339 with nine decimals.
    pub fn timestamp(&self, out: &mut Vec<u8>) {
        let _ = out;
        todo!()
    }
}
