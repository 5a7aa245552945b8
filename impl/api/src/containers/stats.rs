//! `GET /containers/{container}/stats`.

use drydock_core::Timestamp;
use drydock_engine::{CpuUsage, Stats, StatsSample};
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json};

use crate::{
    body::Body,
    call::Call,
    reply::{self, Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let once = call.answers("one-shown") && call.query.get("stream").is_some() && !call.query.flag("stream");
    let mut samples = call
        .api
        .0
        .engine
        .stats(Stats { target: call.target(), stream: !once })
        .await
        .map_err(|error| call.refuse(error))?;
    let outcome = if once { "one-shown" } else { "shown" };
    let (version, endpoint) = (call.version, call.endpoint);
    if once {
        // Whole, not a stream of one: it has a length then.
        let Some(sample) = samples.next().await else { return Ok(Reply::body(outcome, Body::empty())) };
        return Ok(Reply::body(outcome, Body::whole(reply::message(version, endpoint, outcome, view(&sample)))));
    }
    let messages =
        stream::unfold(samples, |mut samples| async { samples.next().await.map(|sample| (sample, samples)) });
    let messages = messages.map(move |sample| Ok(reply::message(version, endpoint, outcome, view(&sample))));
    Ok(Reply::body(outcome, Body::stream_while_connected(messages, call.slot.clone())))
}

fn view(sample: &StatsSample) -> Value {
    let network = &sample.network;
    let memory = &sample.memory;
    let blkio: Map<String, Value> = sample
        .blkio
        .iter()
        .map(|(table, entries)| {
            let entries = entries
                .iter()
                .map(|entry| json!({"major": entry.major, "minor": entry.minor, "op": entry.op, "value": entry.value}));
            ((*table).to_owned(), entries.collect())
        })
        .collect();
    json!({
        "read": sample.read.unwrap_or(Timestamp::ZERO),
        "network": {
            "rx_bytes": network.rx_bytes, "rx_packets": network.rx_packets, "rx_errors": network.rx_errors, "rx_dropped": network.rx_dropped,
            "tx_bytes": network.tx_bytes, "tx_packets": network.tx_packets, "tx_errors": network.tx_errors, "tx_dropped": network.tx_dropped,
        },
        "precpu_stats": cpu(&sample.precpu),
        "cpu_stats": cpu(&sample.cpu),
        "memory_stats": {"usage": memory.usage, "max_usage": memory.max_usage, "stats": memory.stats, "failcnt": memory.failcnt, "limit": memory.limit},
        "blkio_stats": blkio,
    })
}

fn cpu(cpu: &CpuUsage) -> Value {
    let per_cpu = if cpu.per_cpu.is_empty() { Value::Null } else { json!(cpu.per_cpu) };
    json!({
        "cpu_usage": {"total_usage": cpu.total, "percpu_usage": per_cpu, "usage_in_kernelmode": cpu.kernel, "usage_in_usermode": cpu.user},
        "system_cpu_usage": cpu.system,
        "throttling_data": {"periods": cpu.periods, "throttled_periods": cpu.throttled_periods, "throttled_time": cpu.throttled_time},
    })
}
