//! Bytes cut anywhere, as text and what is none.

use std::str::from_utf8;

/// A piece of what a program wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// So many bytes that are no UTF-8.
    Invalid(usize),
}

/// The beginning of a character whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Carry {
    bytes: [u8; 4],
    len: usize,
}

impl Carry {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Nothing more comes: what was begun is no character.
    pub(super) fn take(&mut self) -> usize {
        std::mem::take(&mut self.len)
    }

    /// Tells all pieces of `bytes`, and keeps a character that is cut at its end.
    pub(super) fn pieces(&mut self, bytes: &[u8], mut tell: impl FnMut(Piece<'_>)) {
        let mut rest = self.complete(bytes, &mut tell);
        while !rest.is_empty() {
            let error = match from_utf8(rest) {
                Ok(text) => return tell(Piece::Text(text)),
                Err(error) => error,
            };
            let (valid, after) = rest.split_at(error.valid_up_to());
            if let Ok(text) = from_utf8(valid)
                && !text.is_empty()
            {
                tell(Piece::Text(text));
            }
            let Some(invalid) = error.error_len() else {
                self.bytes[..after.len()].copy_from_slice(after);
                self.len = after.len();
                return;
            };
            tell(Piece::Invalid(invalid));
            rest = &after[invalid..];
        }
    }

    /// Ends the character that was begun, one way or the other; gives the bytes behind it.
    fn complete<'a>(&mut self, mut bytes: &'a [u8], tell: &mut impl FnMut(Piece<'_>)) -> &'a [u8] {
        while self.len > 0 {
            let Some((&next, rest)) = bytes.split_first() else { break };
            self.bytes[self.len] = next;
            match from_utf8(&self.bytes[..=self.len]) {
                Ok(text) => {
                    tell(Piece::Text(text));
                    self.len = 0;
                }
                Err(error) if error.error_len().is_none() => self.len += 1,
                Err(_) => {
                    tell(Piece::Invalid(self.take()));
                    return bytes;
                }
            }
            bytes = rest;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(chunks: &[&[u8]]) -> Vec<u8> {
        let mut carry = Carry::default();
        let mut out = Vec::new();
        let mut tell = |piece: Piece<'_>| match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Invalid(bytes) => out.extend(std::iter::repeat_n(0xff, bytes)),
        };
        for chunk in chunks {
            carry.pieces(chunk, &mut tell);
        }
        tell(Piece::Invalid(carry.take()));
        out
    }

    #[test]
    fn each_byte_of_a_broken_character_counts_alone() {
        assert_eq!(told(&[b"\xc3( \xff\xfe cut \xe2\x98\n"]), b"\xff( \xff\xff cut \xff\xff\n");
        assert_eq!(told(&[b"\xed\xa0\x80"]), b"\xff\xff\xff");
    }

    proptest! {
        #[test]
        fn where_the_bytes_are_cut_does_not_matter(
            parts in prop::collection::vec(prop_oneof![
                any::<char>().prop_map(|c| c.to_string().into_bytes()),
                prop::collection::vec(any::<u8>(), 0..5),
            ], 0..12),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = parts.concat();
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let chunks: Vec<_> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
            prop_assert_eq!(told(&chunks), told(&[&bytes]));
        }
    }
}
