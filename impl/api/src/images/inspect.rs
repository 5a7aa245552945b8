//! `GET /images/{image}/json`.

use crate::{
    call::Call,
    images::view,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let reference = call.reference.clone();
    let inspection = call.on_images(move |images| images.inspect(&reference)).await?;
    Ok(Reply::json("shown", view::full(&inspection)))
}
