//! Ids of containers, images, execs and layers: 32 bytes, written as 64 hex digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// An id: 64 lower-case hex digits wherever it is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 32]);

/// The text is not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of 64 hex digits")]
pub struct ParseIdError;

impl Id {
    /// Hex digits of the short form.
    pub const SHORT: usize = 12;

    /// A fresh random id. Its short form holds a letter: one of digits alone would be taken for a number by tools
    /// that use it as a host name.
    ///
    /// # Panics
    /// When the kernel has no random bytes to give.
    #[must_use]
    pub fn random() -> Self {
        loop {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
            let id = Self(bytes);
            if id.short().bytes().any(|digit| !digit.is_ascii_digit()) {
                return id;
            }
        }
    }

    /// The id whose bytes are `bytes`, such as a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve hex digits.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..Self::SHORT / 2])
    }

    /// Whether the written id begins with `prefix`. The empty prefix begins every id.
    #[must_use]
    pub fn starts_with(&self, prefix: &str) -> bool {
        prefix.len() <= 64
            && prefix.bytes().enumerate().all(|(at, digit)| {
                let byte = self.0[at / 2];
                DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })] == digit
            })
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (at, byte) in self.0.iter().enumerate() {
            text[2 * at] = DIGITS[usize::from(byte >> 4)];
            text[2 * at + 1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.short())
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let text: &[u8; 64] = text.as_bytes().try_into().map_err(|_| ParseIdError)?;
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(ParseIdError),
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = Id::random();
        let text = id.to_string();
        assert_eq!(text.len(), 64);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(id.short(), text[..12]);
        assert_eq!(serde_json::from_str::<Id>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn a_prefix_of_any_length_is_found_and_no_other() {
        let id = Id::from_bytes(std::array::from_fn(|at| at as u8 * 7));
        let text = id.to_string();
        for length in 0..=64 {
            assert!(id.starts_with(&text[..length]));
        }
        assert!(!id.starts_with("zz"));
        assert!(!id.starts_with(&format!("{text}0")));
    }

    #[test]
    fn what_is_not_64_lower_case_hex_digits_is_refused() {
        for text in ["", "abc", &"A".repeat(64), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(text.parse::<Id>(), Err(ParseIdError));
        }
    }
}
