//! The ways in which an answer is made wrong. Each is a lie that some daemon could tell.

use serde_json::{Map, Value};

use crate::exchange::{Content, End, Exchange, NoAnswer, Normaliser, Response};

/// A way to make an answer wrong.
pub struct Mutation {
    /// What is done.
    pub name: &'static str,
    /// The wrong exchange and where it is wrong; `None` where the answer does not allow it.
    pub apply: fn(&Exchange) -> Option<(Exchange, String)>,
}

/// Every mutation.
pub const MUTATIONS: &[Mutation] = &[
    Mutation { name: "success becomes 500", apply: |e| status(e, |s| (s < 400).then_some(500)) },
    Mutation { name: "failure becomes 200", apply: |e| status(e, |s| (s >= 400).then_some(200)) },
    Mutation {
        name: "404 and 500 swapped",
        apply: |e| {
            status(e, |s| match s {
                404 => Some(500),
                500 => Some(404),
                _ => None,
            })
        },
    },
    Mutation {
        name: "200, 201 and 204 turned",
        apply: |e| {
            status(e, |s| match s {
                200 => Some(204),
                201 => Some(200),
                204 => Some(200),
                _ => None,
            })
        },
    },
    Mutation { name: "409 and 406 become 400", apply: |e| status(e, |s| matches!(s, 409 | 406).then_some(400)) },
    Mutation { name: "304 becomes 204", apply: |e| status(e, |s| (s == 304).then_some(204)) },
    Mutation {
        name: "reason phrase changed",
        apply: |e| {
            response(e, |r| {
                r.reason += " Indeed";
                Some(String::new())
            })
        },
    },
    Mutation { name: "Content-Type gone", apply: |e| response(e, |r| without_header(r, "Content-Type")) },
    Mutation {
        name: "Content-Type is text/html",
        apply: |e| response(e, |r| set_header(r, "Content-Type", "text/html")),
    },
    Mutation {
        name: "unknown header added",
        apply: |e| {
            response(e, |r| {
                r.headers.push(("X-Surprise".into(), "1".into()));
                Some(String::new())
            })
        },
    },
    Mutation { name: "header with a wrong value", apply: |e| response(e, wrong_header) },
    Mutation { name: "field removed", apply: |e| json(e, |v| each_leaf(v, remove)) },
    Mutation { name: "first field removed", apply: |e| json(e, first_removed) },
    Mutation { name: "field of another type", apply: |e| json(e, |v| each_leaf(v, retype)) },
    Mutation { name: "field is null", apply: |e| json(e, |v| each_leaf(v, nullify)) },
    Mutation { name: "field in lower case", apply: |e| json(e, |v| each_leaf(v, lower)) },
    Mutation {
        name: "field that is not described",
        apply: |e| {
            json(e, |v| {
                v.as_object_mut().map(|map| {
                    map.insert("Surprise".into(), 1.into());
                    String::new()
                })
            })
        },
    },
    Mutation { name: "boolean turned", apply: |e| json(e, |v| each_leaf(v, turn)) },
    Mutation { name: "number off by one", apply: |e| json(e, |v| each_leaf(v, off_by_one)) },
    Mutation { name: "string changed", apply: |e| json(e, |v| each_leaf(v, alter)) },
    Mutation { name: "list loses its last item", apply: |e| json(e, |v| lists(v, |items| items.pop().map(|_| ()))) },
    Mutation { name: "list is null", apply: |e| json(e, list_nullified) },
    Mutation {
        name: "list of two turned round",
        apply: |e| {
            json(e, |v| lists(v, |items| (items.len() > 1 && items.first() != items.last()).then(|| items.reverse())))
        },
    },
    Mutation {
        name: "JSON broken at its end",
        apply: |e| {
            bytes(e, |b| {
                (b.first().is_some_and(|c| b"{[".contains(c))).then(|| {
                    while b.last().is_some_and(u8::is_ascii_whitespace) {
                        b.pop();
                    }
                    b.pop();
                })
            })
        },
    },
    Mutation {
        name: "message of a stream lost",
        apply: |e| {
            messages(e, |m| {
                (m.len() > 1).then(|| {
                    m.remove(m.len() / 2);
                })
            })
        },
    },
    Mutation {
        name: "message of a stream doubled",
        apply: |e| {
            messages(e, |m| {
                let last = m.last()?.clone();
                m.push(last);
                Some(())
            })
        },
    },
    Mutation {
        name: "messages of a stream swapped",
        apply: |e| {
            messages(e, |m| {
                let n = m.len();
                (n > 1 && same(&m[0], &m[n - 1])).then(|| m.swap(0, n - 1))
            })
        },
    },
    Mutation { name: "message cut by a chunk", apply: |e| response(e, cut_chunk) },
    Mutation {
        name: "error text changed",
        apply: |e| {
            text(e, |t| {
                let end = t.trim_end().len();
                (end > 3).then(|| t.replace_range(..1, "~"))
            })
        },
    },
    Mutation {
        name: "error text with more behind it",
        apply: |e| {
            text(e, |t| {
                *t = format!("{} indeed\n", t.trim_end());
                Some(())
            })
        },
    },
    Mutation {
        name: "text in upper case",
        apply: |e| {
            text(e, |t| {
                let upper = t.to_uppercase();
                (upper != *t).then(|| *t = upper)
            })
        },
    },
    Mutation { name: "body gone", apply: |e| bytes(e, |b| (!b.is_empty()).then(|| b.clear())) },
    Mutation {
        name: "body where none belongs",
        apply: |e| {
            response(e, |r| {
                let Content::Bytes(b) = &mut r.content else { return None };
                (b.is_empty() && r.status != 101 && r.end == End::Length).then(|| {
                    b.extend_from_slice(b"surprise");
                    String::new()
                })
            })
        },
    },
    Mutation {
        name: "frames swapped",
        apply: |e| {
            frames(e, |f| {
                let n = f.len();
                (n > 1 && f[0] != f[n - 1]).then(|| f.swap(0, n - 1))
            })
        },
    },
    Mutation {
        name: "frame on the other stream",
        apply: |e| {
            frames(e, |f| {
                let first = f.first_mut()?;
                first.stream = 3 - first.stream.clamp(1, 2);
                Some(())
            })
        },
    },
    Mutation {
        name: "last frame lost",
        apply: |e| frames(e, |f| f.pop().filter(|last| !last.payload.is_empty()).map(|_| ())),
    },
    Mutation {
        name: "frame's payload changed",
        apply: |e| {
            frames(e, |f| {
                let first = f.iter_mut().find(|f| f.payload.len() > 1)?;
                first.payload[0] ^= 1;
                Some(())
            })
        },
    },
    Mutation {
        name: "newline lost at the end",
        apply: |e| {
            frames(e, |f| {
                let last = f.last_mut()?;
                (last.payload.last() == Some(&b'\n')).then(|| {
                    last.payload.pop();
                })
            })
        },
    },
    Mutation {
        name: "websocket message lost",
        apply: |e| {
            response(e, |r| {
                let Content::Messages(m) = &mut r.content else { return None };
                m.pop().map(|_| String::new())
            })
        },
    },
    Mutation {
        name: "websocket text sent as binary",
        apply: |e| {
            response(e, |r| {
                let Content::Messages(m) = &mut r.content else { return None };
                let first = m.first_mut()?;
                first.head = 0x82;
                Some(String::new())
            })
        },
    },
    Mutation {
        name: "archive entry lost",
        apply: |e| {
            response(e, |r| {
                let Content::Archive(a) = &mut r.content else { return None };
                a.entries.pop().map(|entry| entry.name)
            })
        },
    },
    Mutation {
        name: "archive entry's mode changed",
        apply: |e| {
            response(e, |r| {
                let Content::Archive(a) = &mut r.content else { return None };
                let first = a.entries.first_mut()?;
                first.mode = "100777".into();
                Some(first.name.clone())
            })
        },
    },
    Mutation {
        name: "archive entry's owner changed",
        apply: |e| {
            response(e, |r| {
                let Content::Archive(a) = &mut r.content else { return None };
                let first = a.entries.last_mut()?;
                first.uid += 1;
                Some(first.name.clone())
            })
        },
    },
    Mutation {
        name: "connection closed in the middle",
        apply: |e| {
            response(e, |r| {
                matches!(r.end, End::Chunked | End::Length).then(|| {
                    r.end = End::Short;
                    String::new()
                })
            })
        },
    },
    Mutation {
        name: "stream never ends",
        apply: |e| {
            response(e, |r| {
                matches!(r.end, End::Chunked | End::Eof).then(|| {
                    r.end = End::Timeout;
                    String::new()
                })
            })
        },
    },
    Mutation {
        name: "hijack announces a length",
        apply: |e| {
            response(e, |r| {
                let raw = r.header("Content-Type") == Some("application/vnd.docker.raw-stream");
                raw.then(|| {
                    r.headers.push(("Transfer-Encoding".into(), "chunked".into()));
                    String::new()
                })
            })
        },
    },
    Mutation {
        name: "closed without an answer",
        apply: |e| Some((Exchange { answer: Err(NoAnswer::Closed), ..e.clone() }, String::new())),
    },
    Mutation {
        name: "no answer in time",
        apply: |e| Some((Exchange { answer: Err(NoAnswer::Timeout), ..e.clone() }, String::new())),
    },
];

fn response(exchange: &Exchange, change: impl FnOnce(&mut Response) -> Option<String>) -> Option<(Exchange, String)> {
    let mut mutant = exchange.clone();
    let what = change(mutant.answer.as_mut().ok()?)?;
    Some((mutant, what))
}

fn status(exchange: &Exchange, change: impl FnOnce(u16) -> Option<u16>) -> Option<(Exchange, String)> {
    response(exchange, |response| {
        let status = change(response.status)?;
        response.status = status;
        Some(format!("to {status}"))
    })
}

fn without_header(response: &mut Response, name: &str) -> Option<String> {
    let before = response.headers.len();
    response.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    (response.headers.len() < before).then(String::new)
}

fn set_header(response: &mut Response, name: &str, value: &str) -> Option<String> {
    let header = response.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    (header.1 != value).then(|| header.1 = value.to_owned())?;
    Some(String::new())
}

/// Framing and the date are free.
fn wrong_header(response: &mut Response) -> Option<String> {
    let free = ["date", "content-length", "transfer-encoding", "content-type"];
    let header = response.headers.iter_mut().find(|(name, _)| !free.contains(&name.to_ascii_lowercase().as_str()))?;
    header.1 += "x";
    Some(header.0.clone())
}

fn bytes(exchange: &Exchange, change: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<(Exchange, String)> {
    if exchange.request.method == "HEAD" {
        return None;
    }
    response(exchange, |response| {
        // A stream that the client left ends anywhere.
        if response.left_early() {
            return None;
        }
        let Content::Bytes(bytes) = &mut response.content else { return None };
        change(bytes)?;
        Some(String::new())
    })
}

fn text(exchange: &Exchange, change: impl FnOnce(&mut String) -> Option<()>) -> Option<(Exchange, String)> {
    let is_text = exchange.answer.as_ref().is_ok_and(|response| {
        response.header("Content-Type").is_some_and(|kind| kind.starts_with("text/plain")) && response.json().is_none()
    });
    if !is_text {
        return None;
    }
    bytes(exchange, |bytes| {
        let mut text = String::from_utf8(std::mem::take(bytes)).ok()?;
        if text.is_empty() {
            return None;
        }
        change(&mut text)?;
        *bytes = text.into_bytes();
        Some(())
    })
}

fn frames(
    exchange: &Exchange,
    change: impl FnOnce(&mut Vec<crate::exchange::Frame>) -> Option<()>,
) -> Option<(Exchange, String)> {
    response(exchange, |response| {
        let Content::Frames(frames) = &mut response.content else { return None };
        change(frames)?;
        Some(String::new())
    })
}

/// Changes an answer that is one JSON document.
fn json(exchange: &Exchange, change: impl FnOnce(&mut Value) -> Option<String>) -> Option<(Exchange, String)> {
    let mut value = exchange.answer.as_ref().ok()?.json().filter(|value| value.is_object() || value.is_array())?;
    let what = change(&mut value)?;
    let (mutant, _) = bytes(exchange, |bytes| {
        *bytes = value.to_string().into_bytes();
        Some(())
    })?;
    Some((mutant, what))
}

/// Changes an answer that is a stream of JSON.
fn messages(exchange: &Exchange, change: impl FnOnce(&mut Vec<Value>) -> Option<()>) -> Option<(Exchange, String)> {
    let response = exchange.answer.as_ref().ok()?;
    let mut values = response.json_lines().filter(|values| values.len() > 1 && values.iter().all(Value::is_object))?;
    change(&mut values)?;
    bytes(exchange, |bytes| {
        *bytes = values.iter().flat_map(|value| format!("{value}\n").into_bytes()).collect();
        Some(())
    })
}

/// Whether two messages are told apart once what is volatile is struck.
fn same(a: &Value, b: &Value) -> bool {
    let normaliser = Normaliser::new();
    normaliser.json(a) != normaliser.json(b)
}

fn cut_chunk(response: &mut Response) -> Option<String> {
    let is_stream = response.json_lines().is_some_and(|values| values.len() > 1);
    let sum: usize = response.chunks.iter().sum();
    let whole = matches!(&response.content, Content::Bytes(bytes) if bytes.len() == sum);
    let first = *response.chunks.first().filter(|length| is_stream && whole && **length > 4)?;
    response.chunks.splice(..1, [first / 2, first - first / 2]);
    Some(String::new())
}

fn first_removed(value: &mut Value) -> Option<String> {
    let object = match value {
        Value::Array(items) => items.first_mut()?.as_object_mut()?,
        Value::Object(map) => map,
        _ => return None,
    };
    let name = object.keys().next()?.clone();
    object.shift_remove(&name);
    Some(name)
}

fn list_nullified(value: &mut Value) -> Option<String> {
    let Value::Object(map) = value else { return None };
    let (name, list) = map.iter_mut().find(|(_, value)| value.as_array().is_some_and(|items| !items.is_empty()))?;
    *list = Value::Null;
    Some(name.clone())
}

/// Changes the first list that allows it; lists whose order is a map's are left alone.
fn lists(value: &mut Value, change: impl Fn(&mut Vec<Value>) -> Option<()> + Copy) -> Option<String> {
    fn walk(at: &str, value: &mut Value, change: impl Fn(&mut Vec<Value>) -> Option<()> + Copy) -> Option<String> {
        match value {
            Value::Array(items) => match change(items) {
                Some(()) => Some(at.to_owned()),
                None => items.iter_mut().find_map(|item| walk(&format!("{at}/*"), item, change)),
            },
            Value::Object(map) => map
                .iter_mut()
                .filter(|(name, _)| !["Ports", "Names", "RepoTags", "ExecIDs"].contains(&name.as_str()))
                .find_map(|(name, value)| walk(&format!("{at}/{name}"), value, change)),
            _ => None,
        }
    }
    walk("", value, change)
}

/// Changes the first leaf of an object that allows it and is not volatile.
fn each_leaf(value: &mut Value, change: fn(&mut Map<String, Value>, &str) -> bool) -> Option<String> {
    fn walk(at: &str, value: &mut Value, change: fn(&mut Map<String, Value>, &str) -> bool) -> Option<String> {
        match value {
            Value::Object(map) => {
                let normal = Normaliser::new();
                let names: Vec<String> = map.keys().cloned().collect();
                for name in &names {
                    let alone = Value::Object([(name.clone(), map[name].clone())].into_iter().collect());
                    let fixed = !map[name].is_object() && normal.json(&alone) == alone;
                    if fixed && change(map, name) {
                        return Some(format!("{at}/{name}"));
                    }
                }
                names.iter().find_map(|name| walk(&format!("{at}/{name}"), map.get_mut(name)?, change))
            }
            Value::Array(items) => items.iter_mut().find_map(|item| walk(&format!("{at}/*"), item, change)),
            _ => None,
        }
    }
    walk("", value, change)
}

fn remove(map: &mut Map<String, Value>, name: &str) -> bool {
    map.shift_remove(name).is_some()
}

fn retype(map: &mut Map<String, Value>, name: &str) -> bool {
    let other = match &map[name] {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::from(i32::from(*flag)),
        Value::String(_) => Value::from(7),
        _ => return false,
    };
    map.insert(name.to_owned(), other);
    true
}

fn nullify(map: &mut Map<String, Value>, name: &str) -> bool {
    !map[name].is_null() && map.insert(name.to_owned(), Value::Null).is_some()
}

fn lower(map: &mut Map<String, Value>, name: &str) -> bool {
    let other = name.to_lowercase();
    if other == name || map.contains_key(&other) {
        return false;
    }
    let value = map.shift_remove(name).unwrap_or_default();
    map.insert(other, value);
    true
}

fn turn(map: &mut Map<String, Value>, name: &str) -> bool {
    match map[name] {
        Value::Bool(flag) => map.insert(name.to_owned(), Value::Bool(!flag)).is_some(),
        _ => false,
    }
}

fn off_by_one(map: &mut Map<String, Value>, name: &str) -> bool {
    match map[name].as_i64() {
        Some(number) => map.insert(name.to_owned(), Value::from(number + 1)).is_some(),
        None => false,
    }
}

fn alter(map: &mut Map<String, Value>, name: &str) -> bool {
    match &map[name] {
        Value::String(text) if !text.is_empty() => {
            let other = Value::String(format!("{text}~"));
            map.insert(name.to_owned(), other).is_some()
        }
        _ => false,
    }
}
