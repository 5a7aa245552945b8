//! The query, as Go's `url.ParseQuery` read it: `&` and `;` separate, the first value of a name counts.

use drydock_spec::judge::gobool;

/// The parameters of a request, decoded, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

/// An escape that is none: the percent sign and what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadEscape(pub(crate) String);

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, BadEscape> {
        let mut pairs = Vec::new();
        for pair in text.split(['&', ';']).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((unescape(name, true)?, unescape(value, true)?));
        }
        Ok(Self(pairs))
    }

    /// A parameter's first value; empty where it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// A parameter's first value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        gobool(self.text(name))
    }

    /// A decimal integer; what cannot be read counts as absent.
    pub(crate) fn lenient(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }
}

/// Decodes percent escapes, and in a query a plus as a blank. What is no UTF-8 afterwards is kept as far as it can be.
pub(crate) fn unescape(text: &str, in_query: bool) -> Result<String, BadEscape> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'%' => {
                let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
                let value = digits
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let Some(value) = value else {
                    let end = bytes.len().min(at + 3);
                    return Err(BadEscape(String::from_utf8_lossy(&bytes[at..end]).into_owned()));
                };
                out.push(value);
                at += 3;
                continue;
            }
            b'+' if in_query => out.push(b' '),
            byte => out.push(*byte),
        }
        at += 1;
    }
    Ok(String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_separated_and_decoded_as_go_did() {
        let query = Query::parse("all=1;limit=2&name=a%20b+c&all=0&size").unwrap();
        assert_eq!((query.text("all"), query.text("limit"), query.text("name")), ("1", "2", "a b c"));
        assert!(query.flag("all") && !query.flag("size") && !query.flag("absent"));
        assert_eq!(query.all("all").collect::<Vec<_>>(), ["1", "0"]);
    }

    #[test]
    fn a_bad_escape_is_told() {
        assert_eq!(Query::parse("name=%zz"), Err(BadEscape("%zz".into())));
        assert_eq!(Query::parse("name=%4"), Err(BadEscape("%4".into())));
        assert_eq!(Query::parse("name=%é"), Err(BadEscape("%é".into())));
    }

    proptest! {
        #[test]
        fn no_query_panics(text in ".*") {
            let _ = Query::parse(&text);
        }
    }
}
