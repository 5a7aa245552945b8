//! Names of containers.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// A container's name, without the leading slash that answers show before it. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Box<str>);

/// Which characters a new name may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameGrammar {
    /// One or more of `a-z A-Z 0-9 _ . -`, as the oldest daemon took them.
    AnyPlace,
    /// The same, at least two of them, the first a letter or digit.
    LetterOrDigitFirst,
}

/// The text is no name of this grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no container name")]
pub struct ParseNameError(pub String);

impl Name {
    /// The name that `text` gives; one leading slash is taken off.
    ///
    /// # Errors
    /// [`ParseNameError`] with `text` as it came.
    pub fn parse(text: &str, grammar: NameGrammar) -> Result<Self, ParseNameError> {
        let bare = text.strip_prefix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let fits = bare.bytes().all(plain)
            && match grammar {
                NameGrammar::AnyPlace => !bare.is_empty(),
                NameGrammar::LetterOrDigitFirst => {
                    bare.len() >= 2 && bare.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
                }
            };
        if fits { Ok(Self(bare.into())) } else { Err(ParseNameError(text.to_owned())) }
    }

    /// The name, without a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars_differ_in_length_and_first_character() {
        let fits = |text, grammar| Name::parse(text, grammar).is_ok();
        for text in ["ab", "a.b-c_d", "/ab", "0x"] {
            assert!(fits(text, NameGrammar::AnyPlace) && fits(text, NameGrammar::LetterOrDigitFirst), "{text}");
        }
        for text in ["a", "_x", ".", "-"] {
            assert!(fits(text, NameGrammar::AnyPlace) && !fits(text, NameGrammar::LetterOrDigitFirst), "{text}");
        }
        for text in ["", "/", "a b", "//ab", "a/b", "é"] {
            assert!(!fits(text, NameGrammar::AnyPlace) && !fits(text, NameGrammar::LetterOrDigitFirst), "{text}");
        }
    }

    #[test]
    fn a_leading_slash_is_no_part_of_the_name() {
        assert_eq!(Name::parse("/web", NameGrammar::LetterOrDigitFirst).unwrap().as_str(), "web");
    }
}
