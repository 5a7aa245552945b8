//! Lines, for drivers that send each as a message.

use crate::Stream;
use memchr::memchr;

/// Bytes of both streams, cut anywhere, as lines. A line longer than the limit comes in pieces, each as a line of its
/// own: no message may be endless.
#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    unfinished: [Unfinished; 2],
}

#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    /// A piece of the line was told.
    cut: bool,
}

impl Lines {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, unfinished: Default::default() }
    }

    /// Tells each line that ends in `bytes`, without its newline.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8], mut tell: impl FnMut(&[u8])) {
        let Self { limit, unfinished } = self;
        let unfinished = &mut unfinished[stream.index()];
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = *limit - unfinished.bytes.len();
            let newline = memchr(b'\n', rest);
            let end = newline.unwrap_or(rest.len()).min(room);
            let (piece, after) = rest.split_at(end);
            rest = after;
            if newline == Some(end) {
                rest = &rest[1..];
                unfinished.finish(piece, &mut tell);
            } else if end == room {
                unfinished.finish(piece, &mut tell);
                unfinished.cut = true;
            } else {
                unfinished.bytes.extend_from_slice(piece);
            }
        }
    }

    /// The stream has ended: what is there of a line is a line.
    pub(crate) fn end(&mut self, stream: Stream, mut tell: impl FnMut(&[u8])) {
        let unfinished = &mut self.unfinished[stream.index()];
        if !unfinished.bytes.is_empty() {
            unfinished.finish(&[], &mut tell);
        }
        unfinished.cut = false;
    }
}

impl Unfinished {
    fn finish(&mut self, piece: &[u8], tell: &mut impl FnMut(&[u8])) {
        let nothing_new = self.cut && self.bytes.is_empty() && piece.is_empty();
        if self.bytes.is_empty() {
            if !nothing_new {
                tell(piece);
            }
        } else {
            self.bytes.extend_from_slice(piece);
            tell(&self.bytes);
            self.bytes.clear();
        }
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(limit: usize, chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(limit);
        let mut told = Vec::new();
        for chunk in chunks {
            lines.push(Stream::Stdout, chunk, |line| told.push(line.to_vec()));
        }
        lines.end(Stream::Stdout, |line| told.push(line.to_vec()));
        told
    }

    #[test]
    fn long_lines_come_in_pieces_and_end_with_their_newline() {
        assert_eq!(lines(3, &[b"abcdefg\nxyz\n\nlast"]), [&b"abc"[..], b"def", b"g", b"xyz", b"", b"las", b"t"]);
        assert_eq!(lines(3, &[b"abc", b"\n", b"\n"]), [&b"abc"[..], b""]);
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..60),
            cut in 0_usize..60,
            limit in 1_usize..20,
        ) {
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(lines(limit, &[first, second]), lines(limit, &[&bytes]));
        }
    }
}
