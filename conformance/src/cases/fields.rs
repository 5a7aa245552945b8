//! The fields of an answer: which of a shape's properties it shows, and where it differs from them.

use std::collections::BTreeMap;

use drydock_spec::{
    Spec, Version,
    model::{ClauseId, Presence, Schema},
    schema::{Context, Mismatch, validate},
};
use serde_json::Value;

/// A property, wherever in lists and maps it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// The clauses that its variant binds.
    pub(super) clauses: Vec<ClauseId>,
    /// How it differs from its shape, each with its exact pointer. Empty: it is as described.
    pub(super) differences: Vec<String>,
    /// It has no business here: nothing describes it in this version.
    pub(super) surplus: bool,
}

/// The properties that `document` shows or should show, by pointer, `*` standing for the items of lists and maps.
pub(super) fn fields(context: Context<'_>, schema: &Schema, document: &Value) -> BTreeMap<String, Field> {
    let mut found = BTreeMap::new();
    Walk { spec: context.spec, version: context.version, asked: context.asked, found: &mut found }
        .value(schema, document, "");
    for Mismatch { pointer, message } in validate(context, schema, document) {
        let general = generalised(&pointer, &found);
        let surplus = message == "is not described" || message.starts_with("does not exist in");
        let field = found.entry(general).or_insert_with(|| Field { surplus, ..Field::default() });
        field.differences.push(format!("{}: {message}", if pointer.is_empty() { "/" } else { &pointer }));
    }
    found
}

/// A pointer into a value as the pointer of a property: `/Ports/0/Type` as `/Ports/*/Type`.
fn generalised(pointer: &str, known: &BTreeMap<String, Field>) -> String {
    let mut general = String::new();
    for segment in pointer.split('/').skip(1) {
        let named = format!("{general}/{segment}");
        let starred = format!("{general}/*");
        let is_item = known.keys().any(|key| key == &starred || key.starts_with(&format!("{starred}/")));
        general =
            if is_item || segment.bytes().all(|b| b.is_ascii_digit()) && !segment.is_empty() { starred } else { named };
    }
    general
}

struct Walk<'a> {
    spec: &'a Spec,
    version: Version,
    asked: Version,
    found: &'a mut BTreeMap<String, Field>,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Schema, value: &Value, at: &str) {
        let Some(shape) = schema.resolve(self.spec) else { return };
        match value {
            Value::Object(map) if shape.properties.0.is_empty() => {
                if let Some(items) = &shape.items {
                    for item in map.values() {
                        self.found.entry(format!("{at}/*")).or_default();
                        self.value(items, item, &format!("{at}/*"));
                    }
                }
            }
            Value::Object(map) => {
                for (name, variants) in &shape.properties.0 {
                    let Some(variant) = variants.iter().find(|variant| variant.holds(self.version, self.asked)) else {
                        continue;
                    };
                    let due = variant.presence == Presence::Always || map.contains_key(name);
                    if !due {
                        continue;
                    }
                    let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    let field = self.found.entry(pointer.clone()).or_default();
                    for clause in &variant.clauses {
                        if !field.clauses.contains(clause) {
                            field.clauses.push(clause.clone());
                        }
                    }
                    if let Some(value) = map.get(name) {
                        self.value(variant, value, &pointer);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &shape.items {
                    for item in items {
                        self.found.entry(format!("{at}/*")).or_default();
                        self.value(schema, item, &format!("{at}/*"));
                    }
                }
            }
            _ => {}
        }
    }
}
