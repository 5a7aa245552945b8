//! Whether a JSON value has the shape that a version gives it.

use std::{cell::RefCell, collections::HashMap};

use regex::Regex;
use serde_json::{Map, Value};

use crate::{
    load::Spec,
    model::{Kind, Presence, Schema},
    version::Version,
};

/// What a value is held against.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The spec that the shared types come from.
    pub spec: &'a Spec,
    /// The version of the daemon.
    pub version: Version,
    /// The version in the request's path; the daemon's own where it has none.
    pub asked: Version,
    /// Whether a query parameter of the request is true, for properties that stand there only then.
    pub flag: &'a dyn Fn(&str) -> bool,
    /// Whether what the version does not describe is an error: unknown properties, and fields of another version.
    pub exact: bool,
}

/// Where a value differs from its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// JSON pointer into the value.
    pub pointer: String,
    /// How it differs.
    pub message: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", if self.pointer.is_empty() { "/" } else { &self.pointer }, self.message)
    }
}

impl Schema {
    /// Whether this variant of a property holds for a daemon of `version` asked under `asked`.
    pub fn holds(&self, version: Version, asked: Version) -> bool {
        self.versions.contains(version) && self.asked.is_none_or(|range| range.contains(asked))
    }

    /// The shape behind a reference; itself where it is none. `None` when the type does not exist.
    pub fn resolve<'a>(&'a self, spec: &'a Spec) -> Option<&'a Schema> {
        match &self.reference {
            Some(name) => spec.type_named(name).and_then(|schema| schema.resolve(spec)),
            None => Some(self),
        }
    }
}

/// Every difference between a value and its shape.
pub fn validate(context: Context<'_>, schema: &Schema, value: &Value) -> Vec<Mismatch> {
    let mut found = Vec::new();
    Walk { context, pointer: String::new(), found: &mut found }.value(schema, value);
    found
}

struct Walk<'a, 'f> {
    context: Context<'a>,
    pointer: String,
    found: &'f mut Vec<Mismatch>,
}

impl Walk<'_, '_> {
    fn differs(&mut self, message: impl Into<String>) {
        self.found.push(Mismatch { pointer: self.pointer.clone(), message: message.into() });
    }

    fn below(&mut self, key: &str, check: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        check(self);
        self.pointer.truncate(length);
    }

    fn value(&mut self, schema: &Schema, value: &Value) {
        if schema.unset.contains(value) {
            return;
        }
        let Some(shape) = schema.resolve(self.context.spec) else {
            self.differs(format!("its type {:?} does not exist", schema.reference));
            return;
        };
        if shape.unset.contains(value) {
            return;
        }
        match (shape.kind.unwrap_or(Kind::Any), value) {
            (Kind::Any, _)
            | (Kind::Null, Value::Null)
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Number, Value::Number(_)) => {}
            (Kind::Integer, Value::Number(number)) if !number.is_f64() => {}
            (Kind::String, Value::String(text)) => self.string(shape, text),
            (Kind::Array, Value::Array(items)) => {
                if items.is_empty() && shape.nonempty {
                    self.differs("is an empty array where the version has another value for nothing");
                }
                if let Some(schema) = &shape.items {
                    for (index, item) in items.iter().enumerate() {
                        self.below(&index.to_string(), |walk| walk.value(schema, item));
                    }
                }
            }
            (Kind::Map, Value::Object(map)) => {
                if map.is_empty() && shape.nonempty {
                    self.differs("is an empty object where the version has another value for nothing");
                }
                if let Some(schema) = &shape.items {
                    for (key, item) in map {
                        self.below(key, |walk| walk.value(schema, item));
                    }
                }
            }
            (Kind::Object, Value::Object(map)) => self.object(shape, map),
            (kind, other) => self.differs(format!("is {}, not {}", kind_of(other), format!("{kind:?}").to_lowercase())),
        }
        if !shape.values.is_empty() && !shape.values.contains(value) {
            self.differs(format!("is {value}, which is none of its values"));
        }
    }

    fn string(&mut self, shape: &Schema, text: &str) {
        let Some(pattern) = &shape.pattern else { return };
        match matches(pattern, text) {
            Ok(true) => {}
            Ok(false) => self.differs(format!("{text:?} does not match {pattern}")),
            Err(error) => self.differs(format!("its pattern is malformed: {error}")),
        }
    }

    fn object(&mut self, shape: &Schema, map: &Map<String, Value>) {
        let Context { version, asked, flag, exact, .. } = self.context;
        for (name, variants) in &shape.properties.0 {
            let variant = variants.iter().find(|variant| variant.holds(version, asked));
            match (variant, map.get(name)) {
                (Some(variant), Some(value)) => {
                    if let Presence::Flag(parameter) = &variant.presence
                        && exact
                        && !flag(parameter)
                    {
                        self.below(name, |walk| walk.differs(format!("stands there without `{parameter}`")));
                    }
                    self.below(name, |walk| walk.value(variant, value));
                }
                (Some(variant), None) => {
                    let due = match &variant.presence {
                        Presence::Always => true,
                        Presence::Omitempty | Presence::Given => false,
                        Presence::Flag(parameter) => flag(parameter),
                    };
                    if due {
                        self.below(name, |walk| walk.differs("is absent"));
                    }
                }
                (None, Some(_)) if exact => {
                    self.below(name, |walk| walk.differs(format!("does not exist in {version}")))
                }
                (None, _) => {}
            }
        }
        if exact && !shape.open {
            for key in map.keys().filter(|key| !shape.properties.0.iter().any(|(name, _)| name == *key)) {
                self.below(key, |walk| walk.differs("is not described"));
            }
        }
    }
}

/// Whether a text matches a pattern as a whole. A pattern is compiled once a thread: that takes longer than all else.
fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Result<Regex, String>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        if !compiled.contains_key(pattern) {
            let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| error.to_string());
            compiled.insert(pattern.to_owned(), regex);
        }
        match &compiled[pattern] {
            Ok(regex) => Ok(regex.is_match(text)),
            Err(error) => Err(error.clone()),
        }
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mismatches(schema: &str, value: &str, version: &str) -> Vec<String> {
        let spec = Spec::default();
        let schema: Schema = serde_json::from_str(schema).unwrap();
        let version = version.parse().unwrap();
        let context = Context { spec: &spec, version, asked: version, flag: &|_| false, exact: true };
        validate(context, &schema, &serde_json::from_str(value).unwrap()).iter().map(Mismatch::to_string).collect()
    }

    #[test]
    fn each_difference_is_told_with_its_pointer() {
        let schema = r#"{"type": "object", "properties": {
            "Id": {"type": "string", "pattern": "[0-9a-f]{64}"},
            "Labels": {"type": "map", "items": {"type": "string"}, "unset": [null], "nonempty": true, "versions": ["1.18", null]},
            "Size": {"type": "integer", "presence": "flag:size"},
            "Ports": {"type": "array", "items": {"type": "object", "properties": {"Type": {"type": "string"}}}}}}"#;
        assert_eq!(
            mismatches(schema, r#"{"Id": "x", "Labels": {}, "Size": 1, "Ports": [{"Type": 5}], "More": 1}"#, "1.18"),
            [
                "/Id: \"x\" does not match [0-9a-f]{64}",
                "/Labels: is an empty object where the version has another value for nothing",
                "/Size: stands there without `size`",
                "/Ports/0/Type: is integer, not string",
                "/More: is not described",
            ]
        );
        let id = "0".repeat(64);
        assert_eq!(
            mismatches(schema, &format!(r#"{{"Id": "{id}", "Labels": null, "Ports": []}}"#), "1.17"),
            ["/Labels: does not exist in 1.17"]
        );
        assert_eq!(mismatches(schema, &format!(r#"{{"Id": "{id}", "Ports": []}}"#), "1.18"), ["/Labels: is absent"]);
    }
}
