//! `POST /containers/create`.

use drydock_engine::{ContainerConfig, Create, HostConfig, Warning};
use drydock_spec::{Behaviour, model::Decoder};
use serde_json::{Map, Value, json};

use crate::{
    call::{Call, typed},
    decode::{Refused, kind},
    reply::{Answered, Refusal, Reply, refusal},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    call.expect_json(false)?;
    let bytes = call.bytes().await?;
    let mut body = call.decode(&bytes)?;
    if body.is_empty() && call.answers("config-empty") {
        return Err(refusal("config-empty"));
    }
    let at_the_top = host_config_at_the_top(&call, &bytes)?;
    let host_config = match body.remove("HostConfig") {
        Some(Value::Object(map)) if call.version.has(Behaviour::CreateHostConfig) => host_config(&call, map)?,
        _ => {
            if at_the_top.is_empty() && call.version.has(Behaviour::CreateCpusetNeedsAHostConfig) {
                body.remove("Cpuset");
            }
            host_config(&call, at_the_top)?
        }
    };
    if !call.version.has(Behaviour::CreateTakesTriggers) {
        body.remove("OnBuild");
    }
    let config = config(&call, body)?;
    let empty = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
    if config.image.is_empty()
        && call.version.has(Behaviour::CreateImageMayBeEmpty)
        && empty(&config.cmd)
        && empty(&config.entrypoint)
    {
        return Err(refusal("no-command"));
    }
    let command = Create {
        name: Some(call.query.text("name").to_owned()).filter(|name| !name.is_empty()),
        name_grammar: call.policy().name_grammar(),
        config,
        host_config,
        rules: call.create_rules(),
        inside: call.policy().inside(),
        retry_counting: call.policy().retry_counting(),
    };
    let image = command.config.image.clone();
    let created = call.api.0.engine.create(command).await.map_err(|error| {
        let mut refusal = call.refuse(error);
        refusal.values.retain(|(name, _)| !["image", "tag"].contains(name));
        refusal.values.extend([("tag", tag_of(&call, &image)), ("image", image)]);
        refusal
    })?;
    let warnings = created.warnings.iter().map(|warning| match warning {
        Warning::HostPortInPortSpec => {
            "The mapping to public ports on your host via Dockerfile EXPOSE (host:port:port) has been deprecated. Use -p to publish the ports."
        }
    });
    let warnings: Vec<&str> = warnings.collect();
    Ok(Reply::json("created", json!({"Id": created.id, "Warnings": warnings})))
}

/// The tag of an image's reference as the daemon split it off: older ones did not know digests.
fn tag_of(call: &Call, image: &str) -> String {
    let after_last = |sign| image.rsplit_once(sign).map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let tag = match image.split_once('@') {
        Some((_, digest)) if call.version.has(Behaviour::ImagesDigests) => Some(digest),
        _ => after_last(':'),
    };
    tag.filter(|tag| !tag.is_empty()).unwrap_or("latest").to_owned()
}

/// A container's configuration as a body has it.
pub(crate) fn config(call: &Call, mut body: Map<String, Value>) -> Result<ContainerConfig, Refusal> {
    for key in ["Cmd", "Entrypoint", "PortSpecs"] {
        if let Some(value) = body.remove(key) {
            body.insert(key.to_owned(), words(call, value)?);
        }
    }
    typed(body)
}

/// The host configuration that stands beside the container's: it counts where there is none in a place of its own.
fn host_config_at_the_top(call: &Call, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match call.spec().type_named("HostConfigRequest") {
        Some(schema) if call.version.has(Behaviour::CreateHostConfigAtTheTop) => call.decode_as(schema, bytes),
        _ => Ok(Map::new()),
    }
}

/// A host configuration as a body has it.
pub(crate) fn host_config(call: &Call, mut body: Map<String, Value>) -> Result<HostConfig, Refusal> {
    match body.remove("LxcConf").map(options) {
        // Options came as an object, too, which only the newer decoder reads.
        Some(Value::Object(options)) if call.decoder() == Some(Decoder::Go) => {
            let pairs = options
                .into_iter()
                .map(|(key, value)| json!({"Key": key, "Value": value.as_str().unwrap_or_default()}));
            body.insert("LxcConf".to_owned(), pairs.collect());
        }
        Some(options @ Value::Array(_)) => drop(body.insert("LxcConf".to_owned(), options)),
        _ => {}
    }
    typed(body)
}

/// Options of the driver that is gone: the older decoder kept their JSON as the last text of a list.
fn options(value: Value) -> Value {
    let text = value.as_array().and_then(|list| list.last()).and_then(Value::as_str);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value)
}

/// A list of words that may come as one.
fn words(call: &Call, value: Value) -> Result<Value, Refusal> {
    match value {
        Value::String(word) => Ok(json!([word])),
        Value::Array(words) if words.iter().all(Value::is_string) => Ok(Value::Array(words)),
        Value::Null => Ok(Value::Null),
        other if call.decoder() == Some(Decoder::Env) => Ok(other),
        other => {
            let wrong = other.as_array().and_then(|words| words.iter().find(|word| !word.is_string()));
            let refused = Refused::WrongType { found: kind(wrong.unwrap_or(&other)), wanted: "string" };
            Err(Box::new(Reply::new("body-wrong-type").detail(refused.to_string())))
        }
    }
}
