//! What a request may be answered in a version, in the order in which the outcomes are tried.
//!
//! `cargo run -p drydock-spec --example answers -- 1.18 POST /containers/web/rename`

use drydock_spec::{Spec, Version};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, method, path] = arguments.as_slice() else {
        return Err("usage: answers VERSION METHOD PATH".into());
    };
    let version: Version = version.parse()?;
    let spec = Spec::embedded();
    let Some(found) = spec.routes().find(version, method, path) else {
        println!("{version} has no {method} {path}");
        return Ok(());
    };
    let endpoint = &spec.endpoints()[found.endpoint];
    println!("{}", endpoint.id);
    for outcome in &endpoint.outcomes {
        if let Some(answer) = outcome.answer(version, version) {
            let text =
                answer.text.as_ref().map_or_else(|| format!("{:?}", answer.content()), |text| text.source().to_owned());
            println!("{:>5}  {:24} {text}", answer.status.first(), outcome.id);
        }
    }
    Ok(())
}
