//! Documents nested deeper than any shape of the API: Go read them, and nothing of what is so deep was kept.

use std::borrow::Cow;

/// Deeper than this nothing is read. No shape is deeper than eight; the parser's own bound is 128.
const DEEPEST: usize = 100;

/// The text without what is in arrays and objects that are nested too deeply; these are left empty.
pub(super) fn cut(text: &str) -> Cow<'_, str> {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    let mut kept = String::new();
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                if depth == DEEPEST {
                    kept.push_str(&text[from..=at]);
                    from = at + 1;
                }
            }
            b']' | b'}' if !in_text => {
                if depth == DEEPEST {
                    from = if deepest > DEEPEST { at } else { from };
                    deepest = 0;
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if kept.is_empty() {
        return Cow::Borrowed(text);
    }
    // Where it breaks off too deep, what is kept breaks off, too.
    if depth <= DEEPEST {
        kept.push_str(&text[from..]);
    }
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_deep_is_left_out_and_nothing_else() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(cut(&nested(99)), nested(99));
        assert_eq!(cut(&nested(100)), nested(100));
        let cut_off = cut(&nested(5000)).into_owned();
        assert_eq!(cut_off, format!("{}{}", "[".repeat(100), "]".repeat(100)));
        let both = format!("{{\"a\":{},\"b\":[\"[{{\\\"\"]}}", nested(300));
        assert!(cut(&both).ends_with(",\"b\":[\"[{\\\"\"]}"));
    }
}
