//! Go's `encoding/json`: keys ignore case, `null` is absent, unknown keys are ignored, wrong types are errors. Of two
//! equal keys the last counts.

use drydock_spec::model::{Kind, Schema};
use serde_json::{Map, Value};

use super::{Refused, Shape, kind};

pub(super) fn object(shape: Shape<'_>, value: Value) -> Result<Map<String, Value>, Refused> {
    let mut reading = Reading::default();
    match (typed(shape, value, &mut reading), reading.wrong) {
        (_, Some(wrong)) => Err(wrong),
        (Some(Value::Object(map)), None) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// How far the reading of a document has come.
#[derive(Default)]
pub(super) struct Reading {
    /// The first value of a wrong type.
    wrong: Option<Refused>,
    /// Older daemons left off at a number in place of a text.
    ends_at_numbers: bool,
    ended: bool,
}

impl Reading {
    pub(super) fn that_ends_at_numbers() -> Self {
        Self { ends_at_numbers: true, ..Self::default() }
    }
}

/// The value as its place has it; `None` where nothing is to be set. A wrong type is noted, and the rest is read on,
/// as Go did: who ignores the error has what was right.
pub(super) fn typed(shape: Shape<'_>, value: Value, reading: &mut Reading) -> Option<Value> {
    let schema = shape.schema.resolve(shape.spec)?;
    let wanted = schema.kind.unwrap_or(Kind::Any);
    let inner = |schema: &Schema, value: Value, reading: &mut Reading| typed(Shape { schema, ..shape }, value, reading);
    match (wanted, value) {
        (_, Value::Null) => None,
        (Kind::Any, value) => Some(value),
        (Kind::String, value @ Value::String(_))
        | (Kind::Boolean, value @ Value::Bool(_))
        | (Kind::Number, value @ Value::Number(_)) => Some(value),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Some(Value::Number(number)),
        (Kind::Array, Value::Array(items)) => {
            let element = schema.items.as_deref()?;
            let mut read = Vec::new();
            for item in items {
                // What has the wrong type leaves the type's zero in its place.
                let item = inner(element, item, reading);
                read.push(item.unwrap_or_else(|| zero(Shape { schema: element, ..shape })));
                if reading.ended {
                    break;
                }
            }
            Some(read.into())
        }
        (Kind::Map, Value::Object(map)) => {
            let element = schema.items.as_deref()?;
            let mut read = Map::new();
            for (key, item) in map {
                let item = inner(element, item, reading);
                if reading.ended {
                    break;
                }
                read.insert(key, item.unwrap_or(Value::Null));
            }
            Some(read.into())
        }
        (Kind::Object, Value::Object(map)) => {
            let mut folded = Map::new();
            for (key, value) in map {
                if let Some((name, variant)) = property(shape, schema, &key)
                    && let Some(value) = inner(variant, value, reading)
                {
                    folded.insert(name.to_owned(), value);
                }
                if reading.ended {
                    break;
                }
            }
            Some(folded.into())
        }
        (wanted, value) => {
            reading.ended |= reading.ends_at_numbers && wanted == Kind::String && value.is_number();
            reading.wrong.get_or_insert(Refused::WrongType { found: kind(&value), wanted: go_type(wanted) });
            None
        }
    }
}

/// The property that a key means: the one of that spelling, else one that differs by case only.
fn property<'s>(shape: Shape<'_>, schema: &'s Schema, key: &str) -> Option<(&'s str, &'s Schema)> {
    let properties = &schema.properties.0;
    let found = properties
        .iter()
        .find(|(name, _)| name == key)
        .or_else(|| properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)));
    let (name, variants) = found?;
    Some((name, variants.iter().find(|variant| variant.holds(shape.version, shape.version))?))
}

fn zero(shape: Shape<'_>) -> Value {
    match shape.schema.resolve(shape.spec).and_then(|schema| schema.kind) {
        Some(Kind::String) => "".into(),
        Some(Kind::Integer | Kind::Number) => 0.into(),
        Some(Kind::Boolean) => false.into(),
        Some(Kind::Object) => Map::new().into(),
        _ => Value::Null,
    }
}

fn go_type(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Integer => "int64",
        Kind::Number => "float64",
        Kind::Boolean => "bool",
        Kind::Array => "[]string",
        Kind::Map => "map[string]struct {}",
        Kind::Object | Kind::Any | Kind::Null => "struct",
    }
}
