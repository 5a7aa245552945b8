//! Each rule of the spec, broken once: the problem names the file and the JSON pointer.

use std::collections::{BTreeMap, BTreeSet};

use drydock_spec::{
    Problem, Spec,
    check::{Against, check},
    clauses,
};

const TABLE: &str =
    "id\tfile\tline\tendpoint\tversions\tkind\ttext\na.b.001\tdoc.md\t1\tGET /a\tall\tmust\tIt is there\n";

/// The problems of a spec of one endpoint, `GET /a`, with `rest` after its path.
fn problems(rest: &str, lists: Lists) -> Vec<String> {
    let text = format!(r#"{{"id": "a.b", "method": "GET", "path": "/a", {rest}}}"#);
    let spec = match Spec::from_files([("endpoints/a.b.json", text.as_str())].into_iter()) {
        Ok(spec) => spec,
        Err(problems) => return problems.iter().map(Problem::to_string).collect(),
    };
    let clauses = clauses::parse(TABLE).unwrap();
    let evidence = lists.evidence.iter().map(|entry| (*entry).to_owned()).collect();
    let against = Against {
        clauses: &clauses,
        scenarios: &lists.scenarios.iter().map(|clause| (*clause).to_owned()).collect(),
        pending: &lists.pending.iter().map(|clause| (*clause, "later")).collect::<BTreeMap<_, _>>(),
        untestable: &BTreeMap::new(),
        evidence: &evidence,
    };
    check(&spec, against).iter().map(Problem::to_string).collect()
}

#[derive(Clone, Copy, Default)]
struct Lists {
    scenarios: &'static [&'static str],
    pending: &'static [&'static str],
    evidence: &'static [&'static str],
}

const EXERCISED: Lists =
    Lists { evidence: &["endpoints/a.b.json#/outcomes/0/by/0"], scenarios: &["a.b.001"], pending: &[] };

fn one(rest: &str, lists: Lists) -> String {
    let found = problems(rest, lists);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap_or_default()
}

#[test]
fn a_sound_spec_has_no_problems() {
    assert_eq!(problems(r#""outcomes": [{"id": "x", "by": [{"status": 204}]}]"#, EXERCISED), Vec::<String>::new());
}

#[test]
fn a_range_that_is_empty_or_reaches_beyond_its_parent_is_refused() {
    let backwards =
        one(r#""outcomes": [{"id": "x", "by": [{"status": 204, "versions": ["1.18", "1.15"]}]}]"#, EXERCISED);
    assert!(backwards.starts_with("endpoints/a.b.json#/outcomes/0/by/0/versions: the range is empty"), "{backwards}");
    let beyond = one(
        r#""versions": ["1.17", null], "outcomes": [{"id": "x", "by": [{"status": 204, "versions": ["1.15", null]}]}]"#,
        EXERCISED,
    );
    assert_eq!(
        beyond,
        "endpoints/a.b.json#/outcomes/0/by/0/versions: from 1.15 reaches beyond its parent's range, from 1.17"
    );
}

#[test]
fn an_entry_without_evidence_or_source_is_refused() {
    let lists = Lists { evidence: &[], ..EXERCISED };
    let found = one(r#""outcomes": [{"id": "x", "by": [{"status": 204}]}]"#, lists);
    assert_eq!(
        found,
        "endpoints/a.b.json#/outcomes/0/by/0: no recorded exchange exercises it, and no clause, note or ruling stands for it"
    );
    let noted = r#""outcomes": [{"id": "x", "note": "v1.7.1:api/server", "by": [{"status": 204}]}]"#;
    assert_eq!(problems(noted, lists), Vec::<String>::new());
}

#[test]
fn an_unknown_type_is_refused() {
    let found = one(
        r#""outcomes": [{"id": "x", "by": [{"status": 200, "schema": {"type": "array", "items": "Nosuch"}}]}]"#,
        EXERCISED,
    );
    assert_eq!(found, r#"endpoints/a.b.json#/outcomes/0/by/0/schema/items/ref: no type "Nosuch""#);
}

#[test]
fn a_dangling_clause_is_refused_where_it_stands() {
    let found = one(r#""outcomes": [{"id": "x", "clauses": ["a.b.999"], "by": [{"status": 204}]}]"#, EXERCISED);
    assert_eq!(found, r#"endpoints/a.b.json#/outcomes/0: no clause "a.b.999""#);
}

#[test]
fn a_clause_is_bound_or_listed_and_never_both() {
    let outcomes = r#""outcomes": [{"id": "x", "by": [{"status": 204}]}]"#;
    let nowhere = one(outcomes, Lists { scenarios: &[], ..EXERCISED });
    assert_eq!(nowhere, "clauses.tsv#a.b.001: is bound nowhere, and listed neither as pending nor as untestable");
    let both = one(outcomes, Lists { pending: &["a.b.001"], ..EXERCISED });
    assert_eq!(both, "pending.tsv#a.b.001: is bound, so strike it from the list");
}

#[test]
fn two_outcomes_that_nothing_tells_apart_are_refused() {
    let lists = Lists {
        evidence: &["endpoints/a.b.json#/outcomes/0/by/0", "endpoints/a.b.json#/outcomes/1/by/0"],
        ..EXERCISED
    };
    let rest = r#""outcomes": [
        {"id": "x", "by": [{"status": 404, "text": "No such {reference}", "versions": ["1.18", null]}]},
        {"id": "y", "by": [{"status": [404, 409], "text": "No such container: {reference}", "versions": ["1.19", null]}]}]"#;
    let found = one(rest, lists);
    assert_eq!(found, "endpoints/a.b.json#/outcomes/1/by/0: in 1.19 nothing tells it apart from /outcomes/0/by/0");
}

#[test]
fn variants_of_a_property_do_not_overlap() {
    let rest = r#""outcomes": [{"id": "x", "note": "n", "by": [{"status": 200, "note": "n", "schema": {"type": "object", "properties": {
        "Debug": [{"type": "integer", "versions": ["1.14", "1.19"]}, {"type": "boolean", "versions": ["1.18", null]}]}}}]}]"#;
    let found = one(rest, EXERCISED);
    assert_eq!(
        found,
        "endpoints/a.b.json#/outcomes/0/by/0/schema/properties/Debug/1/versions: overlaps with another variant"
    );
}

#[test]
fn the_embedded_spec_holds_together() {
    let spec = Spec::embedded();
    let files: BTreeSet<String> =
        drydock_spec::check::structure(spec).into_iter().map(|problem| problem.to_string()).collect();
    assert!(files.is_empty(), "{files:#?}");
}
