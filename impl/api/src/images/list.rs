//! `GET /images/json`.

use drydock_images::Query;

use crate::{
    call::Call,
    images::view,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let filters = call.filters("filters")?;
    let query = Query {
        all: call.query.flag("all"),
        repository: Some(call.query.text("filter").to_owned()).filter(|pattern| !pattern.is_empty()),
        dangling: filters.texts("dangling").iter().any(|value| value.eq_ignore_ascii_case("true")),
        labels: filters.texts("label"),
    };
    let images = call.api.images(move |images| images.list(&query)).await;
    Ok(Reply::json("listed", images.iter().map(view::summary).collect()))
}
