//! From the engine's full answer to the shape that a version has.
//!
//! The engine's answer holds every fact that any version tells. A property takes its value from the engine's value
//! of the same name, or from where `was` says, or is `const`; what nothing is set for becomes `unset`'s first value
//! or the type's zero. What is projected validates against the same schema.

use serde_json::{Map, Value};

use crate::{
    model::{Kind, Presence, Schema},
    schema::Context,
};

/// Projects a value of the engine to a schema of the context's version.
pub fn project(context: Context<'_>, schema: &Schema, value: Value) -> Value {
    let Some(shape) = schema.resolve(context.spec) else { return value };
    let unset = schema.unset.first().or(shape.unset.first());
    match (shape.kind.unwrap_or(Kind::Any), value) {
        (Kind::Null, _) => Value::Null,
        (kind, Value::Null) => match unset {
            Some(unset) => unset.clone(),
            // An object that nothing is set in still has its properties.
            None if kind == Kind::Object => Value::Object(object(context, shape, Map::new())),
            None => zero(kind),
        },
        (Kind::Array, Value::Array(items)) if items.is_empty() && shape.nonempty => {
            unset.cloned().unwrap_or(Value::Array(items))
        }
        (Kind::Map, Value::Object(map)) if map.is_empty() && shape.nonempty => {
            unset.cloned().unwrap_or(Value::Object(map))
        }
        (Kind::Array, Value::Array(items)) => match &shape.items {
            Some(schema) => Value::Array(items.into_iter().map(|item| project(context, schema, item)).collect()),
            None => Value::Array(items),
        },
        (Kind::Map, Value::Object(map)) => match &shape.items {
            Some(schema) => {
                Value::Object(map.into_iter().map(|(key, item)| (key, project(context, schema, item))).collect())
            }
            None => Value::Object(map),
        },
        (Kind::Object, Value::Object(map)) => Value::Object(object(context, shape, map)),
        (Kind::Boolean, Value::Number(number)) => Value::Bool(number.as_i64() != Some(0)),
        (Kind::Integer, Value::Bool(flag)) => Value::from(u8::from(flag)),
        (_, value) => value,
    }
}

fn object(context: Context<'_>, shape: &Schema, mut map: Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, variants) in &shape.properties.0 {
        let Some(variant) = variants.iter().find(|variant| variant.holds(context.version, context.asked)) else {
            continue;
        };
        if let Presence::Flag(parameter) = &variant.presence
            && !(context.flag)(parameter)
        {
            continue;
        }
        let value = match (&variant.fixed, &variant.was) {
            (Some(fixed), _) => fixed.clone(),
            // A value may be told in two places, so it is not moved out.
            (None, Some(path)) => path
                .split('.')
                .try_fold(&Value::Null, |at, key| if at.is_null() { map.get(key) } else { at.get(key) })
                .cloned()
                .unwrap_or(Value::Null),
            (None, None) => map.get_mut(name).map(Value::take).unwrap_or(Value::Null),
        };
        if variant.presence == Presence::Given && value.is_null() {
            continue;
        }
        let value = if variant.fixed.is_some() { value } else { project(context, variant, value) };
        if variant.presence == Presence::Omitempty && is_empty(&value) {
            continue;
        }
        out.insert(name.clone(), value);
    }
    if shape.open {
        for (key, value) in map {
            if !shape.properties.0.iter().any(|(name, _)| *name == key) {
                out.insert(key, value);
            }
        }
    }
    out
}

fn zero(kind: Kind) -> Value {
    match kind {
        Kind::Any | Kind::Null => Value::Null,
        Kind::Boolean => Value::Bool(false),
        Kind::Integer | Kind::Number => Value::from(0),
        Kind::String => Value::from(""),
        Kind::Array => Value::Array(Vec::new()),
        Kind::Object | Kind::Map => Value::Object(Map::new()),
    }
}

/// Empty as Go's `omitempty` has it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
