//! `GET /containers/{container}/json`.

use crate::containers::view;
use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let inspection = call.api.0.engine.inspect(&call.target()).map_err(|error| call.refuse(error))?;
    Ok(Reply::json("shown", view::full(&call, &inspection)))
}
