//! What is projected validates against the schema of the version that it was projected to.

use drydock_spec::{
    Spec, VERSIONS, Version,
    model::{Kind, Presence, Schema},
    project::project,
    schema::{Context, validate},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Map, Value, json};

/// A value as the engine might give it: every variant of every property of every version filled in, or left out.
struct Engine<'a> {
    spec: &'a Spec,
    runner: TestRunner,
    /// How often something is left unset, of 4.
    unset: u8,
}

impl Engine<'_> {
    fn pick(&mut self, below: u8) -> u8 {
        (0..below).new_tree(&mut self.runner).expect("a range has values").current()
    }

    fn value(&mut self, schema: &Schema) -> Value {
        let shape = schema.resolve(self.spec).expect("spec check refuses dangling types");
        if let (Some(value), 0) = (shape.values.first(), self.pick(2)) {
            return value.clone();
        }
        let count = self.pick(3);
        match shape.kind.expect("a resolved schema has a type") {
            Kind::Any | Kind::Null => Value::Null,
            Kind::Boolean => json!(self.pick(2) == 1),
            Kind::Integer | Kind::Number => shape.values.first().cloned().unwrap_or_else(|| json!(self.pick(200))),
            Kind::String => match &shape.pattern {
                Some(pattern) => {
                    let strategy = proptest::string::string_regex(pattern).expect("spec check compiled the pattern");
                    json!(strategy.new_tree(&mut self.runner).expect("a pattern has texts").current())
                }
                None => shape.values.first().cloned().unwrap_or_else(|| json!("x".repeat(count.into()))),
            },
            Kind::Array => {
                let items = shape.items.as_deref().expect("spec check asks for items");
                (0..count).map(|_| self.value(items)).collect()
            }
            Kind::Map => {
                let items = shape.items.as_deref().expect("spec check asks for items");
                (0..count).map(|index| (format!("k{index}"), self.value(items))).collect::<Map<_, _>>().into()
            }
            Kind::Object => self.object(shape),
        }
    }

    fn object(&mut self, shape: &Schema) -> Value {
        let mut map = Map::new();
        for (name, variants) in &shape.properties.0 {
            for variant in variants.iter().filter(|variant| variant.fixed.is_none()) {
                // Only what the schema lets be unset may be missing in the engine's answer.
                let optional = !variant.unset.is_empty() || variant.presence == Presence::Omitempty;
                if optional && self.pick(4) < self.unset {
                    continue;
                }
                let value = self.value(variant);
                put(&mut map, variant.was.as_deref().unwrap_or(name), value);
            }
        }
        map.into()
    }
}

fn put(map: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            map.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = map.entry(head).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

fn check(
    spec: &Spec,
    version: Version,
    place: &str,
    schema: &Schema,
    engine: &mut Engine<'_>,
) -> Result<(), TestCaseError> {
    for flags in [false, true] {
        let context = Context { spec, version, asked: version, flag: &|_| flags, exact: true };
        let full = engine.value(schema);
        let projected = project(context, schema, full.clone());
        let mismatches = validate(context, schema, &projected);
        prop_assert!(
            mismatches.is_empty(),
            "{place} in {version}: {mismatches:?}\nengine: {full}\nprojected: {projected}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_projects_to_its_own_schema(unset in 0u8..=4) {
        let spec = Spec::embedded();
        let mut engine = Engine { spec, runner: TestRunner::default(), unset };
        let mut checked = 0;
        for endpoint in spec.endpoints() {
            for version in VERSIONS {
                for outcome in &endpoint.outcomes {
                    for (_, answer) in outcome.answers(version, version) {
                        if let Some(schema) = &answer.schema {
                            check(spec, version, &format!("{}/{}", endpoint.id, outcome.id), schema, &mut engine)?;
                            checked += 1;
                        }
                    }
                }
            }
        }
        prop_assert!(checked > 0, "no answer has a schema");
    }
}
