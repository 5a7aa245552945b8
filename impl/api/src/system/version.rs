//! `GET /version`.

use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let facts = &call.api.0.facts;
    // Version and ApiVersion are the spec's: clients compare them. GitCommit says who this really is.
    Ok(Reply::json(
        "shown",
        json!({"GitCommit": facts.commit, "GoVersion": "go1.4.3", "Os": "linux", "Arch": arch(), "KernelVersion": facts.kernel_version}),
    ))
}

/// The architecture as Go names it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
