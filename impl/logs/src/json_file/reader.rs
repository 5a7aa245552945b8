//! Reading the file back, oldest line first, also while it grows.

use super::escape::unescape;
use super::format::{BEGIN, Ending, ForeignLine, LONGEST_END, Line, push_fixed};
use super::tail::line_start;
use crate::{Error, Query, Stream, Tail};
use drydock_core::Timestamp;
use memchr::{memchr, memchr2};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes read at once.
const BLOCK: usize = 64 << 10;
/// Lines above this are not held in memory: they are told in pieces.
const LONG: usize = 1 << 20;

/// A log being read, oldest line first. At the end, [`Self::next`] answers `None`, and answers lines again once the log
/// has grown. A last line that is not yet whole is not told.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    query: Query,
    /// `None`: there is no file, so far.
    file: Option<File>,
    /// `unread` of it are bytes of the file, still to be told.
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// Where in the file `buffer[unread.start]` is.
    at: u64,
    /// So many bytes of the file from `at` on hold no newline.
    searched: u64,
    /// The line that is being told in pieces.
    long: Option<Long>,
    /// Of the entry that was told last, where the file does not hold it as such.
    text: Vec<u8>,
    time: String,
}

/// A line longer than what is held in memory.
#[derive(Debug)]
struct Long {
    /// Where its escaped text is in the file, as far as it is not told.
    text: Range<u64>,
    stream: Stream,
    begun: bool,
}

/// A line, or a piece of one: lines above 1 MiB come in several entries of the same stream and time.
#[derive(Debug)]
pub struct Entry<'a> {
    text: &'a [u8],
    /// A newline belongs behind the text.
    newline: bool,
    stream: Stream,
    time: &'a str,
    begins_line: bool,
}

/// What [`Reader::next_line`] found.
enum NextLine {
    /// Without its newline.
    InBuffer(Range<usize>),
    /// Longer than that: in [`Reader::long`], if it was asked for.
    Long,
    /// None that is whole.
    End,
}

/// An entry, before it borrows.
struct Found {
    text: Place,
    newline: bool,
    stream: Stream,
    time: Place,
    begins_line: bool,
}

/// In [`Reader::buffer`], or in [`Reader::text`] and [`Reader::time`].
enum Place {
    Buffer(Range<usize>),
    Own,
}

impl Reader {
    pub(super) fn open(path: &Path, query: Query) -> Result<Self, Error> {
        let mut reader = Self {
            path: path.to_owned(),
            query,
            file: None,
            buffer: Vec::new(),
            unread: 0..0,
            at: 0,
            searched: 0,
            long: None,
            text: Vec::new(),
            time: String::new(),
        };
        reader.begin().map_err(|source| reader.failed(source))?;
        Ok(reader)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.open_file()?;
        if let (Some(file), Tail::Lines(lines)) = (&self.file, self.query.tail) {
            let len = file.metadata()?.len();
            let len = self.query.until.map_or(len, |until| until.min(len));
            self.at = line_start(file, len, lines)?;
        }
        Ok(())
    }

    /// The next line that was asked for; `None` at the end, for now.
    ///
    /// A line that is no line of such a file (someone else wrote it) is left out.
    ///
    /// # Errors
    /// `File`.
    #[allow(clippy::should_implement_trait)] // Entries borrow the reader's buffer.
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, Error> {
        let found = self.find().map_err(|source| self.failed(source))?;
        Ok(found.map(|found| Entry {
            text: match found.text {
                Place::Buffer(range) => &self.buffer[range],
                Place::Own => &self.text,
            },
            newline: found.newline,
            stream: found.stream,
            time: match found.time {
                Place::Buffer(range) => std::str::from_utf8(&self.buffer[range]).unwrap_or_default(),
                Place::Own => &self.time,
            },
            begins_line: found.begins_line,
        }))
    }

    fn find(&mut self) -> io::Result<Option<Found>> {
        loop {
            let found = if self.long.is_some() {
                self.next_piece()?
            } else {
                match self.next_line()? {
                    NextLine::InBuffer(line) => self.look_at(line),
                    NextLine::Long => None,
                    NextLine::End => return Ok(None),
                }
            };
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    /// Finds the end of the next line and goes behind it.
    fn next_line(&mut self) -> io::Result<NextLine> {
        loop {
            let unread = &self.buffer[self.unread.clone()];
            // Beyond the buffer if a long line was searched for its end.
            let searched = usize::try_from(self.searched).unwrap_or(usize::MAX);
            if let Some(newline) = unread.get(searched..).and_then(|new| memchr(b'\n', new)) {
                let line = self.unread.start..self.unread.start + searched + newline;
                self.consume(line.len() + 1);
                return Ok(NextLine::InBuffer(line));
            }
            self.searched = self.searched.max(unread.len() as u64);
            if unread.len() >= LONG {
                return self.next_long_line();
            }
            if !self.fill()? {
                return Ok(NextLine::End);
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.unread.start += bytes;
        self.at += bytes as u64;
        self.searched = 0;
    }

    /// Goes to `at`, with nothing in the buffer.
    fn jump(&mut self, at: u64) {
        self.unread = 0..0;
        self.at = at;
        self.searched = 0;
    }

    /// Reads more into the buffer; `false` at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.file.is_none() {
            self.open_file()?;
        }
        let Some(file) = &self.file else { return Ok(false) };
        let position = self.at + self.unread.len() as u64;
        let wanted = match self.query.until {
            Some(until) => usize::try_from(until.saturating_sub(position)).unwrap_or(BLOCK).min(BLOCK),
            None => BLOCK,
        };
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        let end = self.unread.end + wanted;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let read = read_at(file, &mut self.buffer[self.unread.end..end], position)?;
        self.unread.end += read;
        if read > 0 {
            return Ok(true);
        }
        if wanted > 0 && file.metadata()?.len() < position {
            // Someone emptied the file.
            self.jump(0);
            return self.fill();
        }
        if self.unread.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(false)
    }

    /// A line longer than the buffer may become: finds its end, and looks at it from there, since stream and time stand
    /// behind the text.
    fn next_long_line(&mut self) -> io::Result<NextLine> {
        let Some(file) = &self.file else { return Ok(NextLine::End) };
        let mut block = vec![0; BLOCK];
        let newline = loop {
            let position = self.at + self.searched;
            let limit = self.query.until.map_or(u64::MAX, |until| until.saturating_sub(position));
            let wanted = usize::try_from(limit).unwrap_or(BLOCK).min(BLOCK);
            let read = read_at(file, &mut block[..wanted], position)?;
            if read == 0 {
                return Ok(NextLine::End);
            }
            match memchr(b'\n', &block[..read]) {
                Some(found) => break position + found as u64,
                None => self.searched += read as u64,
            }
        };
        let from = newline - LONGEST_END as u64;
        let last = &mut block[..LONGEST_END];
        file.read_exact_at(last, from)?;
        if self.buffer[self.unread.clone()].starts_with(BEGIN)
            && let Some(ending) = Ending::parse(last)
            && self.wants(ending.stream, ending.time)
        {
            self.long = Some(Long {
                text: self.at + BEGIN.len() as u64..from + ending.text_len as u64,
                stream: ending.stream,
                begun: false,
            });
            self.time.clear();
            self.time.push_str(ending.time);
        }
        self.jump(newline + 1);
        Ok(NextLine::Long)
    }

    /// The next piece of the long line; `None` when it is told.
    fn next_piece(&mut self) -> io::Result<Option<Found>> {
        let (Some(file), Some(long)) = (&self.file, &mut self.long) else { return Ok(None) };
        let len = BLOCK.min(usize::try_from(long.text.end - long.text.start).unwrap_or(BLOCK));
        self.buffer.resize(self.buffer.len().max(len), 0);
        let piece = &mut self.buffer[..len];
        file.read_exact_at(piece, long.text.start)?;
        self.text.clear();
        let used = unescape(piece, &mut self.text).unwrap_or(0);
        if used == 0 {
            // Told whole, or no JSON from here on.
            self.long = None;
            self.buffer = Vec::new();
            return Ok(None);
        }
        long.text.start += used as u64;
        let begins_line = !std::mem::replace(&mut long.begun, true);
        let stream = long.stream;
        Ok(Some(Found { text: Place::Own, newline: false, stream, time: Place::Own, begins_line }))
    }

    /// What a line in the buffer tells, if anybody asked.
    fn look_at(&mut self, at: Range<usize>) -> Option<Found> {
        let bytes = &self.buffer[at.clone()];
        let Some(line) = Line::parse(bytes) else { return self.look_at_foreign(at) };
        if !self.wants(line.stream, line.time) {
            return None;
        }
        let stream = line.stream;
        let time_end = at.end - 2;
        let time = Place::Buffer(time_end - line.time.len()..time_end);
        let begin = at.start + BEGIN.len();
        let len = line.text.len();
        // Most lines hold no escape but the last: these are told from where they are.
        let (text, newline) = match memchr2(b'\\', b'"', line.text) {
            None => (Place::Buffer(begin..begin + len), false),
            Some(first) if first + 2 == len && line.text.ends_with(b"\\n") => {
                (Place::Buffer(begin..begin + first), true)
            }
            Some(_) => {
                self.text.clear();
                if unescape(line.text, &mut self.text) != Ok(len) {
                    return None;
                }
                (Place::Own, false)
            }
        };
        Some(Found { text, newline, stream, time, begins_line: true })
    }

    fn look_at_foreign(&mut self, at: Range<usize>) -> Option<Found> {
        let (line, stream) = ForeignLine::parse(&self.buffer[at])?;
        if !self.wants(stream, &line.time) {
            return None;
        }
        self.text = line.log.into_bytes();
        self.time = line.time;
        Some(Found { text: Place::Own, newline: false, stream, time: Place::Own, begins_line: true })
    }

    fn wants(&self, stream: Stream, time: &str) -> bool {
        let wanted = match stream {
            Stream::Stdout => self.query.stdout,
            Stream::Stderr => self.query.stderr,
        };
        let early = |since| time.parse::<Timestamp>().is_ok_and(|time| time < since);
        wanted && !self.query.since.is_some_and(early)
    }

    fn open_file(&mut self) -> io::Result<()> {
        match File::open(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }
}

impl Entry<'_> {
    /// Which stream.
    #[must_use]
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// When the line was written; [`Timestamp::ZERO`] where the file says nonsense.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time.parse().unwrap_or(Timestamp::ZERO)
    }

    /// Whether a line begins here: where a time belongs.
    #[must_use]
    pub fn begins_line(&self) -> bool {
        self.begins_line
    }

    /// Bytes of the text.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // Nobody writes a line of nothing.
    pub fn len(&self) -> usize {
        self.text.len() + usize::from(self.newline)
    }

    /// Appends the text: the line with its newline.
    pub fn push_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text);
        if self.newline {
            out.push(b'\n');
        }
    }

    /// Appends the time in the form of `timestamps=1`: RFC 3339 with nine decimals, UTC.
    pub fn push_time(&self, out: &mut Vec<u8>) {
        push_fixed(self.time, out);
    }
}

fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, position) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
