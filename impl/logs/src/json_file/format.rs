//! A line of the file.

use crate::Stream;
use drydock_core::Timestamp;
use memchr::memrchr;
use serde::Deserialize;

/// What a line begins with.
pub(super) const BEGIN: &[u8] = br#"{"log":""#;
const STREAM: &[u8] = br#"","stream":""#;
const TIME: &[u8] = br#"","time":""#;
const END: &[u8] = br#""}"#;

/// The longest that may stand behind the text in a line of ours: stream, time of at most 35 bytes, and the rest.
pub(super) const LONGEST_END: usize = 128;

/// What a line ends with, its newline among it: the text's and the file's.
pub(super) fn end(stream: Stream, at: Timestamp) -> String {
    format!("\\n\",\"stream\":\"{}\",\"time\":\"{at}\"}}\n", name(stream))
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    }
}

fn stream(name: &[u8]) -> Option<Stream> {
    Stream::BOTH.into_iter().find(|stream| self::name(*stream).as_bytes() == name)
}

/// A line, without its newline. Borrows from the file's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Inside of a JSON string.
    pub(super) text: &'a [u8],
    pub(super) stream: Stream,
    pub(super) time: &'a str,
}

/// What stands behind the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending<'a> {
    /// Where in the bytes the text ends.
    pub(super) text_len: usize,
    pub(super) stream: Stream,
    pub(super) time: &'a str,
}

impl<'a> Line<'a> {
    /// A line as daemons write it; `None`: it is otherwise.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_prefix(BEGIN)?;
        let ending = Ending::parse(rest)?;
        Some(Self { text: &rest[..ending.text_len], stream: ending.stream, time: ending.time })
    }
}

impl<'a> Ending<'a> {
    /// From the last bytes of a line, without its newline. In a well-formed line no text holds the marks looked for:
    /// its quotes are escaped.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_suffix(END)?;
        let time_at = memrchr(b'"', rest)? + 1;
        let time = std::str::from_utf8(&rest[time_at..]).ok()?;
        let rest = rest[..time_at].strip_suffix(TIME)?;
        let (text_len, stream) = Stream::BOTH.into_iter().find_map(|stream| {
            let text = rest.strip_suffix(name(stream).as_bytes())?.strip_suffix(STREAM)?;
            Some((text.len(), stream))
        })?;
        Some(Self { text_len, stream, time })
    }
}

/// A line that another program wrote, or a daemon of another time: keys in any order, and more of them.
#[derive(Debug, Deserialize)]
pub(super) struct ForeignLine {
    #[serde(default)]
    pub(super) log: String,
    stream: String,
    pub(super) time: String,
}

impl ForeignLine {
    pub(super) fn parse(line: &[u8]) -> Option<(Self, Stream)> {
        let line: Self = serde_json::from_slice(line).ok()?;
        let stream = stream(line.stream.as_bytes())?;
        Some((line, stream))
    }
}

/// Appends a time of the file with nine decimals, in UTC. What is no time is appended as the first instant of year 1.
pub(super) fn push_fixed(time: &str, out: &mut Vec<u8>) {
    const NINE: &[u8] = b"000000000";
    // The common form needs nothing but zeros.
    if let Some((seconds, decimals)) = time.strip_suffix('Z').and_then(|utc| utc.split_at_checked(19)) {
        let decimals = decimals.strip_prefix('.').unwrap_or(decimals);
        if decimals.len() <= NINE.len() && decimals.bytes().all(|digit| digit.is_ascii_digit()) {
            out.extend_from_slice(seconds.as_bytes());
            out.push(b'.');
            out.extend_from_slice(decimals.as_bytes());
            out.extend_from_slice(&NINE[decimals.len()..]);
            out.push(b'Z');
            return;
        }
    }
    let time = time.parse::<Timestamp>().unwrap_or(Timestamp::ZERO);
    let text = time.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    out.extend_from_slice(format!("{seconds}.{:09}Z", time.subsec_nanos()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ours_is_read_without_json() {
        let line = br#"{"log":"a \"q\" b\n","stream":"stderr","time":"2026-11-25T03:06:32.08641692Z"}"#;
        let parsed = Line::parse(line).unwrap();
        assert_eq!(
            parsed,
            Line { text: br#"a \"q\" b\n"#, stream: Stream::Stderr, time: "2026-11-25T03:06:32.08641692Z" }
        );
    }

    #[test]
    fn text_that_looks_like_an_ending_is_text() {
        let line = br#"{"log":"\",\"stream\":\"stderr\",\"time\":\"x\n","stream":"stdout","time":"t"}"#;
        assert_eq!(Line::parse(line).unwrap().text, br#"\",\"stream\":\"stderr\",\"time\":\"x\n"#);
    }

    #[test]
    fn what_is_no_such_line_is_refused() {
        for line in
            ["", "not json", r#"{"log":"a"}"#, r#"{"log":"a","stream":"stdin","time":"t"}"#, r#"{"log":"","time":"","#]
        {
            assert_eq!(Line::parse(line.as_bytes()), None, "{line}");
            assert!(ForeignLine::parse(line.as_bytes()).is_none(), "{line}");
        }
    }

    #[test]
    fn lines_of_other_programs_are_read() {
        let line = br#"{"time": "2015-01-01T00:00:00Z", "attrs": {"a": "b"}, "log": "x\ty\n", "stream": "stdout"}"#;
        let (parsed, stream) = ForeignLine::parse(line).unwrap();
        assert_eq!((parsed.log.as_str(), stream), ("x\ty\n", Stream::Stdout));
    }

    #[test]
    fn times_get_nine_decimals() {
        for (time, fixed) in [
            ("2026-11-25T03:06:32.08641692Z", "2026-11-25T03:06:32.086416920Z"),
            ("2026-11-25T03:06:32Z", "2026-11-25T03:06:32.000000000Z"),
            ("2026-11-25T05:06:32.5+02:00", "2026-11-25T03:06:32.500000000Z"),
            ("yesterday", "0001-01-01T00:00:00.000000000Z"),
        ] {
            let mut out = Vec::new();
            push_fixed(time, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), fixed);
        }
    }
}
