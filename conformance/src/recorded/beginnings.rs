//! Steps that name a container by what is chance: the beginning of its id, or a name that the daemon made up.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Steps that name a container by the beginning of its id, and what stands for it: the first digits of a container's
/// id, as many more as it takes to be the only one where `!`; or `shared`, a digit that several ids begin with.
const BEGINNINGS: [(&str, &str, &str); 10] = [
    ("containers.inspect/lookup", "prefix-1", "{c:insp:1!}"),
    ("containers.inspect/lookup", "prefix-2", "{c:insp:2!}"),
    ("containers.inspect/lookup", "prefix-4", "{c:insp:4!}"),
    ("containers.inspect/lookup", "prefix-63", "{c:insp:63}"),
    ("containers.inspect/lookup", "ambiguous-prefix", "{shared}"),
    ("containers.inspect/lookup", "ambiguous-start", "{shared}"),
    ("containers.inspect/lookup", "ambiguous-delete", "{shared}"),
    ("containers.inspect/lookup", "create-name-like-id", "{c:amb0:6}"),
    ("containers.inspect/lookup", "name-like-id", "{c:amb0:6}"),
    ("containers.inspect/lookup", "cleanup", "{c:amb0:6}"),
];

/// The scenario whose container has a made-up name, and the container.
const MADE_UP: (&str, &str) = ("containers.create/names", "{id:containers.create/names/create-auto}");

/// Whether the daemon made a name up.
pub(super) fn is_made_up(name: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[a-z]+_[a-z]+[0-9]*$").expect("a fixed pattern"));
    NAME.is_match(name)
}

/// Whether a name is another one in each run: made up, or the first six digits of an id.
pub(super) fn is_chance(name: &str) -> bool {
    is_made_up(name) || (name.len() == 6 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A target with places for what is chance in it; and what it named a container by, where answers repeat that.
pub(super) fn replaced(scenario: &str, step: &str, target: &str) -> Option<(String, String)> {
    let (sign, written) = named_by(target)?;
    let known = BEGINNINGS.iter().find(|(s, name, _)| *s == scenario && *name == step);
    let place = match known {
        Some((.., place)) if written.len() < 64 && written.bytes().all(|byte| byte.is_ascii_hexdigit()) => place,
        None if scenario == MADE_UP.0 && sign == "/containers/" && is_made_up(written) => MADE_UP.1,
        _ => return None,
    };
    let (head, tail) = target.split_once(&format!("{sign}{written}"))?;
    Some((format!("{head}{sign}{place}{tail}"), written.to_owned()))
}

/// What a target names a container by, and what stands before that.
pub(super) fn named_by(target: &str) -> Option<(&'static str, &str)> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match query.strip_prefix("name=") {
        Some(name) => Some(("?name=", name)),
        None => Some(("/containers/", path.split_once("/containers/")?.1.split('/').next()?)),
    }
}

/// An answer that does not repeat what the container was named by.
pub(super) fn without(answer: &str, written: &str) -> String {
    let answer = answer.replace(&format!(": {written}\n"), ": <reference>\n");
    answer.replace(&format!("\"/{written}\""), "\"/<reference>\"")
}

/// A text whose places `{KEY}`, `{KEY:12}`, `{KEY:4!}` and `{shared}` are filled from ids by key; `containers` are the
/// ids of those that were made, in order.
pub(super) fn fill<'i>(text: &str, id: impl Fn(&str) -> Option<&'i str>, containers: &[String]) -> String {
    static PLACE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\{((?:c|i|id):[^{}"]*?)(?::(\d+)(!?))?\}"#).expect("a fixed pattern"));
    let text = if text.contains("{shared}") { text.replace("{shared}", shared(containers)) } else { text.to_owned() };
    let begun = |beginning: &str| containers.iter().filter(|id| id.starts_with(beginning)).count();
    let filled = PLACE.replace_all(&text, |found: &Captures<'_>| {
        let id = id(&found[1]).unwrap_or("none");
        let Some(digits) = found.get(2).and_then(|digits| digits.as_str().parse::<usize>().ok()) else {
            return id.to_owned();
        };
        let is_enough = |digits: &usize| found[3].is_empty() || begun(&id[..*digits]) < 2;
        let digits = (digits.min(id.len())..id.len()).find(is_enough).unwrap_or(id.len());
        id[..digits].to_owned()
    });
    filled.into_owned()
}

/// A digit that ids of the seventeen youngest containers share: there are but sixteen.
fn shared(containers: &[String]) -> &str {
    let youngest = || containers.iter().rev().take(17).filter_map(|id| id.get(..1));
    youngest().find(|digit| youngest().filter(|other| other == digit).count() > 1).unwrap_or("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chance_in_a_target_gets_a_place() {
        let target = |step, target| replaced("containers.inspect/lookup", step, target);
        let beginning = target("prefix-1", "/v1.18/containers/c/json").unwrap();
        assert_eq!(beginning, ("/v1.18/containers/{c:insp:1!}/json".to_owned(), "c".to_owned()));
        assert!(target("cleanup", "/v1.18/containers/insp?force=1").is_none());
        let made_up = replaced("containers.create/names", "cleanup", "/v1.18/containers/sad_turing?v=1").unwrap();
        assert_eq!(made_up.0, "/v1.18/containers/{id:containers.create/names/create-auto}?v=1");
    }

    #[test]
    fn a_beginning_is_as_long_as_it_takes() {
        let ids = ["ab12", "ab34", "cd56", "a999"].map(str::to_owned);
        let fill = |text| fill(text, |key| (key == "c:x").then_some("ab12"), &ids);
        assert_eq!(fill("/{c:x:1!}/{c:x:2}/{c:x}"), "/ab1/ab/ab12");
        assert_eq!(fill("/{shared}"), "/a");
    }
}
