//! `POST /images/load`.

use crate::{
    body,
    call::Call,
    reply::{Answered, Reply, closing},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let closes = call.has_body() && call.policy().archives_end_connections();
    closing(load(&mut call).await, closes)
}

async fn load(call: &mut Call) -> Answered {
    let archive = body::reader(body::incoming(call.take_body()));
    let api = call.api.clone();
    api.images(move |images| images.load(archive)).await.map_err(|error| call.refuse_import(error))?;
    Ok(Reply::new("loaded"))
}
