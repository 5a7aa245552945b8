//! Request bodies of JSON, read as the version's daemon read them.
//!
//! There were two readers. Which one an endpoint has in a version, and the shape of its body, the spec says.

mod depth;
mod env;
mod go;

use std::fmt;

use drydock_spec::{
    Spec, Version,
    model::{Decoder, Schema},
};
use serde_json::{Map, Value};

/// What a body is read against.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) version: Version,
    pub(crate) schema: &'a Schema,
}

/// Why a body is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing but blanks.
    Absent,
    /// It ends within a value.
    Truncated,
    /// No JSON, with the offending character.
    NotJson(char),
    /// A value of another type than its place has.
    WrongType { found: &'static str, wanted: &'static str },
}

/// Reads a body: an object whose keys and values are those of the shape. `null` is an empty object.
pub(crate) fn object(decoder: Decoder, shape: Shape<'_>, bytes: &[u8]) -> Result<Map<String, Value>, Refused> {
    let value = document(bytes)?;
    match decoder {
        Decoder::Env => env::object(shape, value),
        Decoder::Go | Decoder::Tar | Decoder::Raw => go::object(shape, value),
    }
}

/// The first JSON document; what follows it is ignored, as Go's decoder did.
pub(crate) fn document(bytes: &[u8]) -> Result<Value, Refused> {
    // Bytes that are no UTF-8 were replaced, not refused.
    let text = String::from_utf8_lossy(bytes);
    let text = depth::cut(&text);
    let mut documents = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    match documents.next() {
        None => Err(Refused::Absent),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.is_eof() => Err(Refused::Truncated),
        Some(Err(error)) => Err(Refused::NotJson(offender(bytes, &error))),
    }
}

/// The character that an error of syntax is about.
fn offender(bytes: &[u8], error: &serde_json::Error) -> char {
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let rest = line.get(error.column().saturating_sub(1)..).unwrap_or_default();
    let rest = &rest[..rest.len().min(4)];
    String::from_utf8_lossy(rest).chars().next().unwrap_or('\n')
}

/// A JSON type in Go's words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Absent | Refused::Truncated => Ok(()),
            Refused::NotJson(c) => write!(f, "'{}' looking for beginning of value", c.escape_default()),
            Refused::WrongType { found, wanted } => write!(f, "{found} into Go value of type {wanted}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_no_document_says_why() {
        assert_eq!(document(b"  \n"), Err(Refused::Absent));
        assert_eq!(document(b"{\"a\":"), Err(Refused::Truncated));
        assert_eq!(document(b"sausage"), Err(Refused::NotJson('s')));
        let deep = format!("{{\"a\":{}{}, \"b\": 1}}", "[".repeat(20_000), "]".repeat(20_000));
        assert_eq!(document(deep.as_bytes()).unwrap()["b"], 1);
        assert_eq!(document("[".repeat(20_000).as_bytes()), Err(Refused::Truncated));
        assert_eq!(document(b"{} trailing"), Ok(serde_json::json!({})));
    }
}
