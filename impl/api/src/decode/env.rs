//! The older reader: an object becomes a list of texts, and each field asks for its text in its own type.
//!
//! Keys match by case. A number is its integer part, an array or object its JSON text. A field that is a list takes
//! JSON text of a list of strings, and anything else as the one string of a list; after an element of another type
//! the whole text is appended. A field of another type takes what it can and is unset else.

use drydock_spec::{
    Behaviour,
    judge::gobool,
    model::{Kind, Schema},
};
use serde_json::{Map, Value};

use super::{
    Refused, Shape,
    go::{self, Reading},
    kind,
};

pub(super) fn object(shape: Shape<'_>, value: Value) -> Result<Map<String, Value>, Refused> {
    let map = match value {
        Value::Object(map) => map,
        Value::Null => return Ok(Map::new()),
        other => return Err(Refused::WrongType { found: kind(&other), wanted: "map[string]interface {}" }),
    };
    let mut read = Map::new();
    let Some(schema) = shape.schema.resolve(shape.spec) else { return Ok(read) };
    for (name, variants) in &schema.properties.0 {
        let variant = variants.iter().find(|variant| variant.holds(shape.version, shape.version));
        let is_something = |value: &&Value| !value.is_null() || shape.version.has(Behaviour::DecodeNullIsAWord);
        if let (Some(variant), Some(value)) = (variant, map.get(name).filter(is_something))
            && let Some(value) = field(Shape { schema: variant, ..shape }, value)
        {
            read.insert(name.clone(), value);
        }
    }
    Ok(read)
}

fn field(shape: Shape<'_>, value: &Value) -> Option<Value> {
    let schema = shape.schema.resolve(shape.spec)?;
    let text = text(value);
    match schema.kind.unwrap_or(Kind::Any) {
        Kind::String => Some(text.into()),
        Kind::Integer | Kind::Number => Some(text.parse::<i64>().unwrap_or(0).into()),
        Kind::Boolean => Some(gobool(&text).into()),
        // Fields without a type of their own are lists that may come as one string: commands, entrypoints.
        Kind::Any => list(&text),
        Kind::Array if is_of_strings(shape, schema) => list(&text),
        Kind::Array | Kind::Map | Kind::Object => {
            go::typed(shape, serde_json::from_str(&text).ok()?, &mut Reading::that_ends_at_numbers())
        }
        Kind::Null => None,
    }
}

fn is_of_strings(shape: Shape<'_>, schema: &Schema) -> bool {
    let items = schema.items.as_deref().and_then(|items| items.resolve(shape.spec));
    items.is_some_and(|items| items.kind == Some(Kind::String))
}

/// A value as the text that it was kept as.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // Go converted by way of a float: the integer part is what is left.
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)).unwrap_or(0).to_string()
        }
        Value::Bool(flag) => flag.to_string(),
        other => String::from_utf8_lossy(&crate::json::to_vec(other)).into_owned(),
    }
}

fn list(text: &str) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    match serde_json::from_str(text) {
        Ok(Value::Null) => Some(Value::Null),
        Ok(Value::Array(items)) if items.iter().all(Value::is_string) => Some(Value::Array(items)),
        Ok(Value::Array(items)) => {
            let kept = items.into_iter().map(|item| if item.is_string() { item } else { "".into() });
            Some(kept.chain([text.into()]).collect())
        }
        _ => Some(Value::Array(vec![text.into()])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_take_one_string_and_keep_what_is_wrong_as_text() {
        for (given, kept) in [
            (json!(["a", "b"]), json!(["a", "b"])),
            (json!("a b"), json!(["a b"])),
            (json!(5), json!(["5"])),
            (json!({"a": 1}), json!(["{\"a\":1}"])),
            (json!(["echo", 5]), json!(["echo", "", "[\"echo\",5]"])),
            (json!([]), json!([])),
        ] {
            assert_eq!(list(&text(&given)), Some(kept), "{given}");
        }
        assert_eq!(list(""), None);
    }

    #[test]
    fn numbers_lose_their_fraction_and_huge_ones_stay_in_range() {
        assert_eq!(text(&json!(6.7e7)), "67000000");
        assert_eq!(text(&json!(1.9)), "1");
        assert_eq!(text(&json!(true)), "true");
    }
}
