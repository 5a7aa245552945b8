//! `GET /containers/{container}/export`.

use crate::body::{Body, pieces};
use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let archive = call.api.0.engine.export(call.target()).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::body("exported", Body::stream(pieces(archive))))
}
