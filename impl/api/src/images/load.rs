//! `POST /images/load`.

use crate::{
    body,
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let archive = body::reader(call.take_body());
    let api = call.api.clone();
    api.images(move |images| images.load(archive)).await.map_err(|error| call.refuse_import(error))?;
    Ok(Reply::new("loaded"))
}
