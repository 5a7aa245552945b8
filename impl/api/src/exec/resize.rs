//! `POST /exec/{exec}/resize`.

use drydock_engine::ExecResize;

use crate::{
    call::Call,
    containers::resize::size,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let (height, width) = size(&call)?;
    let resize = ExecResize { exec: call.reference.clone(), height, width };
    call.api.0.engine.exec_resize(resize).await.map_err(|error| call.refuse(error))?;
    Ok(Reply::new("resized"))
}
