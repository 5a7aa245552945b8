//! Texts of answers: literal parts and `{name}` for values.
//!
//! `{id}` stands for 64 and `{id12}` for 12 hexadecimal digits, `{n}` for a number; any other name for any text.
//! A literal brace is doubled.

use std::{fmt, sync::OnceLock};

use regex::Regex;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::model::Tier;

/// A text with places for values.
#[derive(Clone)]
pub struct Text {
    source: String,
    parts: Vec<Part>,
    /// Made at the first use: the daemon only renders.
    pattern: OnceLock<[Regex; 2]>,
}

#[derive(Clone)]
enum Part {
    Literal(String),
    Value(String),
}

impl Part {
    fn pattern(&self) -> String {
        match self {
            Part::Literal(text) => regex::escape(text),
            Part::Value(name) => match name.as_str() {
                "id" => "[0-9a-f]{64}".to_owned(),
                "id12" => "[0-9a-f]{12}".to_owned(),
                "n" => "-?[0-9]+".to_owned(),
                _ => "(?s:.*?)".to_owned(),
            },
        }
    }

    fn example(&self) -> String {
        match self {
            Part::Literal(text) => text.clone(),
            Part::Value(name) => match name.as_str() {
                "id" => "0123456789abcdef".repeat(4),
                "id12" => "0123456789ab".to_owned(),
                "n" => "1".to_owned(),
                _ => "x".to_owned(),
            },
        }
    }
}

/// A brace without its partner, or an empty name.
#[derive(Debug, thiserror::Error)]
#[error("in the text {0:?} a brace has no partner or a name is empty")]
pub struct Malformed(String);

impl Text {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, Malformed> {
        let parts = parts(source).ok_or_else(|| Malformed(source.to_owned()))?;
        Ok(Self { source: source.to_owned(), parts, pattern: OnceLock::new() })
    }

    /// The text as a whole, and as a beginning.
    fn patterns(&self) -> &[Regex; 2] {
        self.pattern.get_or_init(|| {
            let pattern: String = self.parts.iter().map(Part::pattern).collect();
            [format!("^{pattern}$"), format!("^{pattern}")]
                .map(|pattern| Regex::new(&pattern).expect("made of escaped literals and fixed patterns"))
        })
    }

    /// Whether `text`, without its final newline, is what this promises.
    pub fn matches(&self, text: &str, tier: Tier) -> bool {
        match tier {
            Tier::Exact => self.patterns()[0].is_match(text),
            Tier::Prefix => self.patterns()[1].is_match(text),
            Tier::Free => true,
        }
    }

    /// Whether no value stands in it.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// The text with its values in place. A name that stands there several times takes the values of that name in
    /// turn, then the last again; one without a value stays as it is written.
    pub fn render(&self, values: &[(&str, &str)]) -> String {
        let mut out = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(text) => out += text,
                Part::Value(name) => {
                    let before = self.parts[..at]
                        .iter()
                        .filter(|part| matches!(part, Part::Value(known) if known == name))
                        .count();
                    let of_name: Vec<&str> =
                        values.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect();
                    match of_name.get(before).or(of_name.last()) {
                        Some(value) => out += value,
                        None => out += &format!("{{{name}}}"),
                    }
                }
            }
        }
        out
    }

    /// The names of its values, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// A text that it matches: each value by something of its kind.
    pub fn example(&self) -> String {
        self.parts.iter().map(Part::example).collect()
    }

    /// As it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// `None`: a brace without its partner, or an empty name.
fn parts(source: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                literal.push(c);
            }
            '{' => {
                let mut name = String::new();
                loop {
                    match chars.next()? {
                        '}' => break,
                        c if c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.' => name.push(c),
                        _ => return None,
                    }
                }
                if name.is_empty() {
                    return None;
                }
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(Part::Value(name));
            }
            '}' => return None,
            c => literal.push(c),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Some(parts)
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Text::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_do() {
        let text = Text::parse("no such id: {reference}").unwrap();
        assert!(text.matches("no such id: nosuch", Tier::Exact));
        assert!(!text.matches("No such id: nosuch", Tier::Exact));
        assert_eq!(text.render(&[("reference", "a/b")]), "no such id: a/b");
    }

    #[test]
    fn a_name_that_stands_there_twice_takes_two_values() {
        let text = Text::parse("cannot delete {id12} because {id12} uses it").unwrap();
        assert_eq!(text.render(&[("id12", "a"), ("id12", "b")]), "cannot delete a because b uses it");
        assert_eq!(text.render(&[("id12", "a")]), "cannot delete a because a uses it");
    }

    #[test]
    fn ids_and_numbers_match_their_kind_only() {
        let text = Text::parse("container {id12} exited {n}").unwrap();
        assert!(text.matches("container 0123456789ab exited -1", Tier::Exact));
        assert!(!text.matches("container nosuch exited -1", Tier::Exact));
    }

    #[test]
    fn a_lone_brace_is_refused() {
        for source in ["{", "}", "{}", "{a", "a {b c}"] {
            assert!(Text::parse(source).is_err(), "{source}");
        }
        assert_eq!(Text::parse("map[{{}}]").unwrap().render(&[]), "map[{}]");
    }
}
