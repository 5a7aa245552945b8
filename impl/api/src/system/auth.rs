//! `POST /auth`: errors that need no registry; asking one comes with the registry client.

use crate::{
    call::Call,
    reply::{Answered, Reply, closing},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let closes = call.has_body() && call.policy().logins_end_connections();
    closing(login(&mut call).await, closes)
}

async fn login(call: &mut Call) -> Answered {
    if call.answers("body-absent") {
        call.object().await?;
    }
    Ok(Reply::unimplemented())
}
