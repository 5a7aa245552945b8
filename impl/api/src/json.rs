//! JSON as Go wrote it: `<`, `>`, `&` and the two line separators are escaped, since a genuine daemon's answers were
//! once compared byte by byte.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

struct Go;

impl Formatter for Go {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut written = 0;
        for (at, c) in fragment.char_indices() {
            if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
                writer.write_all(&fragment.as_bytes()[written..at])?;
                write!(writer, "\\u{:04x}", c as u32)?;
                written = at + c.len_utf8();
            }
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            other => CompactFormatter.write_char_escape(writer, other),
        }
    }
}

/// The value's JSON, without a newline.
pub(crate) fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    // Writing to memory cannot fail, and our values have text keys only.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, Go));
    bytes
}

/// The value's JSON and a newline, as documents and messages of a stream end.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = to_vec(value);
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_go_escapes_is_escaped() {
        let text = "a<b>&\u{2028}\u{7f}\u{8}\n\"ü";
        assert_eq!(
            String::from_utf8(super::to_vec(&text)).unwrap(),
            r#""a\u003cb\u003e\u0026\u2028"#.to_owned() + "\u{7f}" + r#"\u0008\n\"ü""#
        );
    }
}
