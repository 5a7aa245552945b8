//! Go's `path.Match`.

/// Whether all of `name` matches: `*` any run without a slash, `?` any character but a slash, `[a-z]`, `[^a]`, `\` takes
/// the next character by the letter. A malformed pattern matches nothing.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last star does not match: one character further.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p + 1, n));
            p += 1;
            continue;
        }
        let step = name.get(n).and_then(|&character| one(&pattern[p..], character));
        match step {
            Some(length) => {
                p += length;
                n += 1;
            }
            None if p == pattern.len() && n == name.len() => return true,
            None => match star {
                Some((after, from)) if from < name.len() && name[from] != '/' => {
                    star = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                _ => return false,
            },
        }
    }
}

/// How much of the pattern the character takes; `None` if it does not match.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern {
        ['?', ..] => (character != '/').then_some(1),
        ['\\', escaped, ..] => (*escaped == character).then_some(2),
        ['[', rest @ ..] => class(rest, character).map(|length| length + 1),
        [plain, ..] => (*plain == character && *plain != '\\').then_some(1),
        [] => None,
    }
}

fn class(pattern: &[char], character: char) -> Option<usize> {
    let negated = pattern.first() == Some(&'^');
    let mut at = usize::from(negated);
    let mut found = false;
    let mut first = true;
    loop {
        if pattern.get(at) == Some(&']') && !first {
            return (found != negated).then_some(at + 1);
        }
        first = false;
        let (low, length) = letter(&pattern[at.min(pattern.len())..])?;
        at += length;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            let (to, length) = letter(&pattern[at + 1..])?;
            high = to;
            at += 1 + length;
        }
        found |= (low..=high).contains(&character);
    }
}

fn letter(pattern: &[char]) -> Option<(char, usize)> {
    match pattern {
        ['\\', escaped, ..] => Some((*escaped, 2)),
        ['-' | ']', ..] | [] | ['\\'] => None,
        [plain, ..] => Some((*plain, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_gos_do() {
        for (pattern, name, expected) in [
            ("busybox", "busybox", true),
            ("busy*", "busybox", true),
            ("*", "a/b", false),
            ("*/*", "a/b", true),
            ("a*b*c", "axxbyybzzc", true),
            ("?", "/", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", false),
            ("[", "[", false),
            ("[a", "a", false),
            ("[-]", "-", false),
            ("\\*", "*", true),
            ("\\", "\\", false),
            ("a*", "a", true),
            ("", "", true),
            ("", "a", false),
            ("*é", "caffé", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
