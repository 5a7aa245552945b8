//! `POST /auth`: errors that need no registry; asking one comes with the registry client.

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    if call.answers("body-absent") {
        call.object().await?;
    }
    Ok(Reply::unimplemented())
}
