//! Writing the file.

use super::escape::{escape, escape_invalid};
use super::format::{BEGIN, end};
use super::spill::Spill;
use super::tail::whole_lines;
use super::text::{Carry, Piece};
use crate::{Error, Flushed, Stream, Writer};
use drydock_core::{Timestamp, fault};
use memchr::memchr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of finished lines that are gathered for one write.
const BATCH: usize = 64 << 10;
/// Bytes of an unfinished line that stay in memory.
const UNFINISHED: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct JsonFileWriter {
    path: PathBuf,
    file: File,
    /// Finished lines.
    batch: Vec<u8>,
    unfinished: [Unfinished; 2],
}

/// The last line of a stream, as far as it came.
#[derive(Debug, Default)]
struct Unfinished {
    carry: Carry,
    /// Escaped.
    text: Vec<u8>,
    /// What came before `text`.
    spill: Option<Spill>,
    /// Its beginning is lost, since the spill could not be written; the rest goes the same way.
    lost: bool,
}

impl Unfinished {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.spill.is_none() && !self.lost
    }

    fn push(&mut self, text: &str, log: &Path) -> io::Result<()> {
        let mut rest = text;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.floor_char_boundary(UNFINISHED / 4));
            escape(chunk, &mut self.text);
            self.spill_if_long(log)?;
            rest = after;
        }
        Ok(())
    }

    fn push_invalid(&mut self, bytes: usize, log: &Path) -> io::Result<()> {
        escape_invalid(bytes, &mut self.text);
        self.spill_if_long(log)
    }

    fn spill_if_long(&mut self, log: &Path) -> io::Result<()> {
        if self.text.len() < UNFINISHED {
            return Ok(());
        }
        let mut result = Ok(());
        if !self.lost {
            let spill = match self.spill.as_mut() {
                Some(spill) => Ok(spill),
                None => Spill::new(log).map(|spill| self.spill.insert(spill)),
            };
            result = spill.and_then(|spill| spill.push(&self.text));
        }
        self.text.clear();
        if result.is_err() {
            self.lost = true;
            self.spill = None;
        }
        result
    }
}

impl JsonFileWriter {
    /// A last line that an earlier writer left torn, because it was killed, is cut off: it would spoil the next one.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let fail = |source| Error::File { path: path.to_owned(), source };
        let open = File::options().read(true).append(true).create(true).mode(0o600).open(path);
        let file = open.map_err(fail)?;
        let len = file.metadata().map_err(fail)?.len();
        let whole = whole_lines(&file, len).map_err(fail)?;
        if whole < len {
            file.set_len(whole).map_err(fail)?;
        }
        Ok(Self { path: path.to_owned(), file, batch: Vec::new(), unfinished: Default::default() })
    }

    fn take(&mut self, stream: Stream, text: &str, end: &str, failed: &mut Option<io::Error>) {
        let mut rest = text;
        while let Some(newline) = memchr(b'\n', rest.as_bytes()) {
            let (line, after) = (&rest[..newline], &rest[newline + 1..]);
            if self.unfinished[stream.index()].is_empty() {
                self.batch.extend_from_slice(BEGIN);
                escape(line, &mut self.batch);
                self.batch.extend_from_slice(end.as_bytes());
            } else {
                keep_first(failed, self.unfinished[stream.index()].push(line, &self.path));
                keep_first(failed, self.finish(stream, end));
            }
            if self.batch.len() >= BATCH {
                keep_first(failed, self.write_batch());
            }
            rest = after;
        }
        keep_first(failed, self.unfinished[stream.index()].push(rest, &self.path));
    }

    /// The unfinished line is whole now.
    fn finish(&mut self, stream: Stream, end: &str) -> io::Result<()> {
        let unfinished = &mut self.unfinished[stream.index()];
        let lost = std::mem::take(&mut unfinished.lost);
        let spill = unfinished.spill.take();
        if lost {
            unfinished.text.clear();
            return Ok(());
        }
        let Some(spill) = spill else {
            self.batch.extend_from_slice(BEGIN);
            self.batch.append(&mut unfinished.text);
            self.batch.extend_from_slice(end.as_bytes());
            return Ok(());
        };
        let last = [&std::mem::take(&mut unfinished.text), end.as_bytes()].concat();
        self.write_batch()?;
        let whole = self.file.metadata()?.len();
        let written = (&self.file)
            .write_all(BEGIN)
            .and_then(|()| spill.pour(&self.file))
            .and_then(|()| (&self.file).write_all(&last));
        written.inspect_err(|_| self.cut_back(whole))
    }

    /// One write for all finished lines. If it fails, all of them are lost and none is there in half.
    fn write_batch(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut rest = self.batch.as_slice();
        let mut result = fault::point("logs.json-file.write");
        while result.is_ok() && !rest.is_empty() {
            match (&self.file).write(rest) {
                Ok(0) => result = Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => result = Err(error),
            }
        }
        let written = self.batch.len() - rest.len();
        if result.is_err() && written > 0 {
            // Someone may have made the file shorter, so only its end now tells where this batch began.
            let end = self.file.metadata().map_or(0, |metadata| metadata.len());
            self.cut_back(end.saturating_sub(written as u64));
        }
        self.batch.clear();
        result
    }

    /// Best effort: the next writer and every reader cope with a torn line, too.
    fn cut_back(&self, whole: u64) {
        let _ = self.file.set_len(whole);
    }

    fn result(&self, failed: Option<io::Error>) -> Result<(), Error> {
        failed.map_or(Ok(()), |source| Err(Error::File { path: self.path.clone(), source }))
    }
}

/// The first failure is told; what came after it was done all the same.
fn keep_first(failed: &mut Option<io::Error>, result: io::Result<()>) {
    if let Err(error) = result {
        failed.get_or_insert(error);
    }
}

impl Writer for JsonFileWriter {
    fn write(&mut self, stream: Stream, bytes: &[u8], at: Timestamp) -> Result<(), Error> {
        let end = end(stream, at);
        let mut failed = None;
        let mut carry = std::mem::take(&mut self.unfinished[stream.index()].carry);
        carry.pieces(bytes, |piece| match piece {
            Piece::Text(text) => self.take(stream, text, &end, &mut failed),
            Piece::Invalid(bytes) => {
                keep_first(&mut failed, self.unfinished[stream.index()].push_invalid(bytes, &self.path));
            }
        });
        self.unfinished[stream.index()].carry = carry;
        self.result(failed)
    }

    fn flush(&mut self) -> Result<Flushed, Error> {
        let failed = self.write_batch().err();
        self.result(failed).map(|()| Flushed::All)
    }

    fn position(&self) -> Option<u64> {
        self.file.metadata().ok().map(|metadata| metadata.len())
    }

    fn end(&mut self, stream: Stream, at: Timestamp) -> Result<(), Error> {
        let mut failed = None;
        let unfinished = &mut self.unfinished[stream.index()];
        if !unfinished.carry.is_empty() {
            let invalid = unfinished.carry.take();
            keep_first(&mut failed, unfinished.push_invalid(invalid, &self.path));
        }
        if !unfinished.is_empty() {
            keep_first(&mut failed, self.finish(stream, &end(stream, at)));
        }
        self.result(failed)
    }

    fn close(&mut self, at: Timestamp) -> Result<(), Error> {
        let ended = Stream::BOTH.map(|stream| self.end(stream, at));
        let flushed = self.flush().map(drop);
        ended.into_iter().chain([flushed]).collect()
    }
}
