//! Where a request's body ends, and what of the bytes before is it.

use bytes::{Buf, Bytes, BytesMut};

/// How what is left of a body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// Chunks are left.
    Chunked(Chunk),
    /// Nobody knows where it ends: a chunk was malformed.
    Broken,
}

/// What comes next of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunk {
    /// The line that tells a size.
    Size,
    /// So many bytes of one.
    Data(u64),
    /// The end of a line behind one.
    End,
    /// Lines behind the last one, up to an empty one.
    Trailer,
}

/// What the bytes so far give.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A piece of the body.
    Piece(Bytes),
    /// The body is at its end.
    End,
    /// It takes more bytes.
    More,
}

/// The chunks are no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadChunk;

/// Bytes of a line between chunks.
const LINE_LIMIT: usize = 4096;

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunk::Size)
    }

    /// Whether nothing is left.
    pub(super) fn is_done(self) -> bool {
        self == Self::Length(0)
    }

    /// Takes the next piece of the body out of `read`.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Step, BadChunk> {
        let step = match self {
            Self::Length(0) => Ok(Step::End),
            Self::Length(left) => Ok(piece(left, read)),
            Self::Chunked(_) => self.next_of_chunks(read),
            Self::Broken => Err(BadChunk),
        };
        if step.is_err() {
            *self = Self::Broken;
        }
        step
    }

    fn next_of_chunks(&mut self, read: &mut BytesMut) -> Result<Step, BadChunk> {
        while let Self::Chunked(chunk) = self {
            match chunk {
                Chunk::Data(left) => {
                    let step = piece(left, read);
                    if *left == 0 {
                        *chunk = Chunk::End;
                    }
                    return Ok(step);
                }
                Chunk::Size | Chunk::End | Chunk::Trailer => {
                    let Some(line) = line(read)? else { return Ok(Step::More) };
                    match chunk {
                        Chunk::Size => {
                            *chunk = match size(&line)? {
                                0 => Chunk::Trailer,
                                size => Chunk::Data(size),
                            }
                        }
                        Chunk::End if line.is_empty() => *chunk = Chunk::Size,
                        Chunk::Trailer if line.is_empty() => *self = Self::Length(0),
                        Chunk::Trailer => {}
                        _ => return Err(BadChunk),
                    }
                }
            }
        }
        Ok(Step::End)
    }
}

fn piece(left: &mut u64, read: &mut BytesMut) -> Step {
    if read.is_empty() {
        return Step::More;
    }
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
    *left -= count as u64;
    Step::Piece(read.split_to(count).freeze())
}

fn line(read: &mut BytesMut) -> Result<Option<BytesMut>, BadChunk> {
    match memchr::memchr(b'\n', read) {
        Some(end) if end < LINE_LIMIT => {
            let mut line = read.split_to(end);
            read.advance(1);
            line.truncate(line.trim_ascii_end().len());
            Ok(Some(line))
        }
        None if read.len() < LINE_LIMIT => Ok(None),
        _ => Err(BadChunk),
    }
}

/// A size in hexadecimal; what follows a semicolon is of no concern.
fn size(line: &[u8]) -> Result<u64, BadChunk> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if digits.is_empty() || digits.len() > 16 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(BadChunk);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| BadChunk)?;
    u64::from_str_radix(digits, 16).map_err(|_| BadChunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The body of `bytes` that come in pieces of `size`, and what is left over.
    fn body(mut framing: Framing, bytes: &[u8], size: usize) -> Result<(Vec<u8>, Vec<u8>), BadChunk> {
        let (mut read, mut body) = (BytesMut::new(), Vec::new());
        let mut rest = bytes.chunks(size.max(1));
        loop {
            match framing.next(&mut read)? {
                Step::Piece(piece) => body.extend_from_slice(&piece),
                Step::End => return Ok((body, [&read[..], &rest.collect::<Vec<_>>().concat()].concat())),
                Step::More => match rest.next() {
                    Some(bytes) => read.extend_from_slice(bytes),
                    None => return Err(BadChunk),
                },
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_what_follows_is_left() {
        let sent = b"3;ext=1\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
        for size in 1..sent.len() {
            assert_eq!(body(Framing::chunked(), sent, size), Ok((b"abc0123456789".to_vec(), b"GET".to_vec())));
        }
    }

    #[test]
    fn what_is_no_chunk_is_told_once_and_for_all() {
        for sent in ["zz\r\n", "\r\n", "3\r\nabcd\r\n", "11111111111111111\r\n"] {
            let mut framing = Framing::chunked();
            let mut read = BytesMut::from(sent);
            while let Ok(step) = framing.next(&mut read) {
                assert_ne!(step, Step::More, "{sent:?}");
            }
            assert_eq!(framing, Framing::Broken);
            assert_eq!(framing.next(&mut BytesMut::new()), Err(BadChunk));
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert_eq!(Framing::chunked().next(&mut BytesMut::from(&[b'0'; LINE_LIMIT][..])), Err(BadChunk));
    }

    proptest! {
        #[test]
        fn a_length_takes_what_it_says(bytes: Vec<u8>, length in 0usize..64, size in 1usize..9) {
            let whole = body(Framing::Length(length as u64), &bytes, size);
            let expected = (length <= bytes.len()).then(|| (bytes[..length].to_vec(), bytes[length..].to_vec()));
            prop_assert_eq!(whole.ok(), expected);
        }

        #[test]
        fn no_chunks_panic(bytes: Vec<u8>) {
            let _ = body(Framing::chunked(), &bytes, 3);
        }
    }
}
