//! `GET /_ping`.

use crate::{
    body::Body,
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(_call: Call) -> Answered {
    // Without the newline that texts have.
    Ok(Reply::body("answered", Body::whole("OK")))
}
