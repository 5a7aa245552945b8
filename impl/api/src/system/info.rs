//! `GET /info`.

use drydock_core::Timestamp;
use serde_json::{Value, json};

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let facts = &call.api.0.facts;
    let counts = call.api.0.engine.counts();
    let images = call.api.0.images.clone();
    let [http_proxy, https_proxy, no_proxy] = &facts.proxies;
    let labels = if facts.labels.is_empty() { Value::Null } else { json!(facts.labels) };
    let mirrors = if facts.mirrors.is_empty() { Value::Null } else { json!(facts.mirrors) };
    Ok(Reply::json(
        "shown",
        json!({
            "ID": facts.id,
            "Containers": counts.containers,
            "Images": images.count(),
            "Driver": images.layers().driver().name(),
            "DriverStatus": null,
            "MemoryLimit": facts.limits.memory,
            "SwapLimit": facts.limits.swap,
            "CpuCfsPeriod": facts.limits.cpu_period,
            "CpuCfsQuota": facts.limits.cpu_quota,
            "OomKillDisable": facts.limits.oom_kill_disable,
            "IPv4Forwarding": forwarding(),
            "Debug": facts.debug,
            "NFd": open_descriptors(),
            "NGoroutines": tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            "SystemTime": Timestamp::now(),
            "ExecutionDriver": "native-0.2",
            "LoggingDriver": call.api.0.engine.settings().log_config.driver,
            "NEventsListener": counts.event_listeners,
            "KernelVersion": facts.kernel_version,
            "OperatingSystem": facts.operating_system,
            "IndexServerAddress": "https://index.docker.io/v1/",
            "RegistryConfig": {
                "InsecureRegistryCIDRs": facts.insecure_registries,
                "IndexConfigs": {"docker.io": {"Name": "docker.io", "Mirrors": mirrors, "Secure": true, "Official": true}},
            },
            "InitSha1": "",
            "InitPath": facts.program,
            "NCPU": facts.cpus,
            "MemTotal": facts.memory,
            "DockerRootDir": facts.root,
            "HttpProxy": http_proxy,
            "HttpsProxy": https_proxy,
            "NoProxy": no_proxy,
            "Name": facts.name,
            "Labels": labels,
            "ExperimentalBuild": false,
        }),
    ))
}

fn forwarding() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").is_ok_and(|text| text.trim() == "1")
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
