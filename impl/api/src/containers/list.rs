//! `GET /containers/json`, and its older name `GET /containers/ps`.

use drydock_engine::{List, ListFilters};
use drydock_spec::Behaviour;
use drydock_spec::model::ParameterKind;

use crate::{
    call::Call,
    containers::view,
    reply::{Answered, Refusal, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let limit = if is_strict(&call) { call.strict("limit", "limit-malformed")? } else { call.query.lenient("limit") };
    let filters = call.filters("filters")?;
    let exited = filters.texts("exited").into_iter().map(|text| {
        text.parse().map_err(|_| -> Refusal {
            let outcome = if call.answers("exited-malformed") { "exited-malformed" } else { "limit-malformed" };
            Box::new(Reply::new(outcome).with("exited", &text).with("limit", text))
        })
    });
    let reference =
        |name| Some(call.query.text(name)).filter(|text| !text.is_empty()).map(|text| call.policy().target(text));
    let list = List {
        all: call.query.flag("all"),
        limit,
        since: reference("since"),
        before: reference("before"),
        size: call.query.flag("size"),
        filters: ListFilters {
            exited: exited.collect::<Result<_, _>>()?,
            exited_lets_running_through: call.version.has(Behaviour::ListExitedFilterLetsRunningThrough),
            status: filters.texts("status"),
            status_match: call.policy().status_match(),
            status_implies_all: call.policy().status_implies_all(),
            name: filters.texts("name"),
            id: filters.texts("id"),
            label: filters.texts("label"),
        },
        image_names: call.version.has(Behaviour::ListTellsImagesByTheirFirstName),
        exit_codes: call.policy().exit_codes(),
    };
    let items = call.api.0.engine.list(list).await.map_err(|error| match error {
        drydock_engine::Error::NoSuchContainer(reference) => {
            Box::new(Reply::new("no-such-since-or-before").with("reference", reference))
        }
        error => call.refuse(error),
    })?;
    Ok(Reply::json("listed", items.iter().map(|item| view::summary(&call, item)).collect()))
}

fn is_strict(call: &Call) -> bool {
    let limit = call
        .spec()
        .endpoint(call.endpoint)
        .query
        .iter()
        .find(|known| known.name == "limit" && known.versions.contains(call.version));
    limit.is_some_and(|limit| limit.kind == ParameterKind::IntStrict)
}
