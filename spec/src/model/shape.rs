//! Shapes of JSON values: the part of the grammar that answers, bodies and types share.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use super::{ClauseId, OneOrMany, all};
use crate::version::Range;

/// The shape of a JSON value, or of a property in a range of versions.
///
/// In a file an object, or just the name of a type under `types/` as a string.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// A shared type's name; then only the keys of a property stand beside it.
    pub reference: Option<String>,
    /// The JSON type, unless `reference` is given.
    pub kind: Option<Kind>,
    /// Of an object: its properties, in the order in which they are written to clients.
    pub properties: Properties,
    /// Of an array: its items; of a map: its values.
    pub items: Option<Box<Schema>>,
    /// The closed set of values.
    pub values: Vec<Value>,
    /// A pattern that a string matches as a whole.
    pub pattern: Option<String>,
    /// An array or map that is never empty where it is present (when empty, `unset` stands there).
    pub nonempty: bool,
    /// An object that may have properties which are not listed.
    pub open: bool,
    /// Property: the versions that have it so; the parent's if absent.
    pub versions: Range,
    /// Property: the prefixes under which it is so; all if absent (see [`super::Answer::asked`]).
    pub asked: Option<Range>,
    /// Property: whether it is always there.
    pub presence: Presence,
    /// Property: what may stand there when nothing is set, beside a value of the type: `null`, `[]`, `{}`, `""`, `0`.
    pub unset: Vec<Value>,
    /// Projection: the dotted path of the engine's value below the parent's, where it is not the property's own name.
    pub was: Option<String>,
    /// Projection: the value, whatever the engine says.
    pub fixed: Option<Value>,
    /// Clauses about it.
    pub clauses: Vec<ClauseId>,
    /// A source for what no exchange exercises.
    pub note: Option<String>,
}

/// The object form of [`Schema`] in a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaObject {
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(default)]
    properties: Properties,
    items: Option<Box<Schema>>,
    #[serde(default, rename = "enum")]
    values: Vec<Value>,
    pattern: Option<String>,
    #[serde(default)]
    nonempty: bool,
    #[serde(default)]
    open: bool,
    #[serde(default = "all")]
    versions: Range,
    asked: Option<Range>,
    #[serde(default)]
    presence: Presence,
    #[serde(default)]
    unset: Vec<Value>,
    was: Option<String>,
    #[serde(default, rename = "const", deserialize_with = "some_value")]
    fixed: Option<Value>,
    #[serde(default)]
    clauses: Vec<ClauseId>,
    note: Option<String>,
}

/// `null` is a value too.
fn some_value<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrObject;

        impl<'de> Visitor<'de> for NameOrObject {
            type Value = Schema;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type's name or a schema object")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Schema, E> {
                Ok(Schema { reference: Some(name.to_owned()), versions: Range::ALL, ..Schema::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schema, A::Error> {
                let object = SchemaObject::deserialize(MapAccessDeserializer::new(map))?;
                if object.reference.is_some() == object.kind.is_some() {
                    return Err(A::Error::custom("a schema has either `ref` or `type`"));
                }
                Ok(Schema {
                    reference: object.reference,
                    kind: object.kind,
                    properties: object.properties,
                    items: object.items,
                    values: object.values,
                    pattern: object.pattern,
                    nonempty: object.nonempty,
                    open: object.open,
                    versions: object.versions,
                    asked: object.asked,
                    presence: object.presence,
                    unset: object.unset,
                    was: object.was,
                    fixed: object.fixed,
                    clauses: object.clauses,
                    note: object.note,
                })
            }
        }

        from.deserialize_any(NameOrObject)
    }
}

/// An object's properties in the order of the file. A property that differs between versions has several variants.
#[derive(Clone, Debug, Default)]
pub struct Properties(pub Vec<(String, Vec<Schema>)>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Properties;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
                let mut properties: Vec<(String, Vec<Schema>)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let OneOrMany(variants) = map.next_value()?;
                    if properties.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom(format!("property {name:?} stands there twice")));
                    }
                    properties.push((name, variants));
                }
                Ok(Properties(properties))
            }
        }

        from.deserialize_map(InOrder)
    }
}

/// JSON's types, integers apart, and objects used as maps apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any value.
    Any,
    /// Null and nothing else.
    Null,
    /// true or false.
    Boolean,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// A string.
    String,
    /// An array of `items`.
    Array,
    /// An object with `properties`.
    Object,
    /// An object whose keys are data and whose values are `items`.
    Map,
}

/// Whether a property is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Presence {
    /// In every answer.
    #[default]
    Always,
    /// Absent when its value is empty.
    Omitempty,
    /// Absent when there is no value; an empty one stands there.
    Given,
    /// Only when the query parameter is true.
    Flag(String),
}

impl TryFrom<String> for Presence {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match (text.as_str(), text.strip_prefix("flag:")) {
            ("always", _) => Ok(Presence::Always),
            ("omitempty", _) => Ok(Presence::Omitempty),
            ("given", _) => Ok(Presence::Given),
            (_, Some(name)) if !name.is_empty() => Ok(Presence::Flag(name.to_owned())),
            _ => Err(format!("presence is always, omitempty, given or flag:NAME, not {text:?}")),
        }
    }
}

impl From<Presence> for String {
    fn from(presence: Presence) -> String {
        match presence {
            Presence::Always => "always".to_owned(),
            Presence::Omitempty => "omitempty".to_owned(),
            Presence::Given => "given".to_owned(),
            Presence::Flag(name) => format!("flag:{name}"),
        }
    }
}
