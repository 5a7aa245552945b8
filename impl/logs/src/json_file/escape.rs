//! JSON strings as Go writes them, and back.

use memchr::memchr2;

/// Appends `text` as it stands between the quotes of a JSON string. Besides what JSON demands, Go escapes `<`, `>`, `&`
/// and the two line separators U+2028 and U+2029; it knows no short form but `\n`, `\r`, `\"` and `\\`.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (clean, special) = rest.split_at(clean_run(rest));
        out.extend_from_slice(clean);
        let Some((&byte, after)) = special.split_first() else { return };
        rest = after;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0xe2 => match *after {
                [0x80, last @ (0xa8 | 0xa9), ..] => {
                    out.extend_from_slice(if last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                    rest = &after[2..];
                }
                _ => out.push(byte),
            },
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let [high, low] = [byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
}

/// Appends what stands for bytes that are no UTF-8.
pub(super) fn escape_invalid(bytes: usize, out: &mut Vec<u8>) {
    for _ in 0..bytes {
        out.extend_from_slice(b"\\ufffd");
    }
}

/// How many bytes need a look: eight at a time, by the classic tests for a byte below n and for a byte that is zero.
fn clean_run(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let is = |word: u64, byte: u8| zero(word ^ (ONES * u64::from(byte)));
    let (words, _) = bytes.as_chunks::<8>();
    let clean_words = words
        .iter()
        .position(|word| {
            let word = u64::from_ne_bytes(*word);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            // `"` and `&`, and `<` and `>`, differ in one bit.
            let special =
                is(word | (ONES * 0x04), b'&') | is(word | (ONES * 0x02), b'>') | is(word, b'\\') | is(word, 0xe2);
            control | special != 0
        })
        .unwrap_or(words.len());
    let at = clean_words * 8;
    bytes[at..].iter().position(|&byte| is_special(byte)).map_or(bytes.len(), |more| at + more)
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&' | 0xe2)
}

/// The string is no JSON string.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Appends what the inside of a JSON string stands for; answers how many bytes of it were used: all, or those before an
/// escape that is cut at the end.
pub(super) fn unescape(inside: &[u8], out: &mut Vec<u8>) -> Result<usize, Malformed> {
    let mut at = 0;
    while let Some(found) = memchr2(b'\\', b'"', &inside[at..]) {
        out.extend_from_slice(&inside[at..at + found]);
        at += found;
        let (character, len) = match &inside[at..] {
            [b'\\'] => return Ok(at),
            [b'\\', b'u', digits @ ..] => match unicode(digits)? {
                Some((character, digits)) => (character, 2 + digits),
                None => return Ok(at),
            },
            [b'\\', short, ..] => (simple(*short)?, 2),
            _ => return Err(Malformed),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at += len;
    }
    out.extend_from_slice(&inside[at..]);
    Ok(inside.len())
}

fn simple(short: u8) -> Result<char, Malformed> {
    Ok(match short {
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'"' | b'\\' | b'/' => char::from(short),
        _ => return Err(Malformed),
    })
}

/// The character of `XXXX` or `XXXX\uXXXX` and how many bytes it took; `None` when the bytes end in the middle. Half
/// a surrogate pair is U+FFFD.
fn unicode(digits: &[u8]) -> Result<Option<(char, usize)>, Malformed> {
    let Some(first) = hex(digits)? else { return Ok(None) };
    if !(0xd800..0xdc00).contains(&first) {
        return Ok(Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 4)));
    }
    let lone = Some((char::REPLACEMENT_CHARACTER, 4));
    match &digits[4..] {
        [] | [b'\\'] => Ok(None),
        [b'\\', b'u', more @ ..] => Ok(match hex(more)? {
            None => None,
            Some(second @ 0xdc00..0xe000) => {
                char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).map(|character| (character, 10))
            }
            Some(_) => lone,
        }),
        _ => Ok(lone),
    }
}

fn hex(digits: &[u8]) -> Result<Option<u32>, Malformed> {
    let mut value = 0;
    for at in 0..4 {
        let Some(&digit) = digits.get(at) else { return Ok(None) };
        value = value << 4 | char::from(digit).to_digit(16).ok_or(Malformed)?;
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn unescaped(inside: &str) -> Result<(Vec<u8>, usize), Malformed> {
        let mut out = Vec::new();
        let used = unescape(inside.as_bytes(), &mut out)?;
        Ok((out, used))
    }

    #[test]
    fn go_escapes_what_the_recordings_show() {
        for (text, json) in [
            ("tab\there", "tab\\u0009here"),
            ("cr\r", "cr\\r"),
            ("nul\0mid", "nul\\u0000mid"),
            ("bell\u{7} esc\u{1b}[1m del\u{7f}", "bell\\u0007 esc\\u001b[1m del\u{7f}"),
            (
                "quote \" backslash \\ slash / amp & lt < gt >",
                "quote \\\" backslash \\\\ slash / amp \\u0026 lt \\u003c gt \\u003e",
            ),
            (
                "é ☃ 𝄞 nbsp\u{a0} ls\u{2028} ps\u{2029} bom\u{feff} …",
                "é ☃ 𝄞 nbsp\u{a0} ls\\u2028 ps\\u2029 bom\u{feff} …",
            ),
        ] {
            assert_eq!(escaped(text), json);
        }
    }

    #[test]
    fn an_escape_that_is_cut_waits_for_its_end() {
        for cut in ["\\", "\\u", "\\u00e", "\\ud834", "\\ud834\\", "\\ud834\\udd1"] {
            assert_eq!(unescaped(&format!("a{cut}")), Ok((b"a".to_vec(), 1)), "{cut}");
        }
        assert_eq!(unescaped("\\ud834\\udd1e\\t"), Ok(("𝄞\t".into(), 14)));
        assert_eq!(unescaped("\\ud834x"), Ok(("\u{fffd}x".into(), 7)));
    }

    #[test]
    fn what_is_no_string_is_refused() {
        for inside in ["\"", "\\x", "\\u12g4", "a\\u00\"0"] {
            assert_eq!(unescaped(inside), Err(Malformed), "{inside}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_json_and_comes_back(text: String) {
            let json = escaped(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{json}\"")).unwrap(), text.clone());
            prop_assert_eq!(unescaped(&json), Ok((text.into_bytes(), json.len())));
        }
    }
}
