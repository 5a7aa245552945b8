//! `GET /images/{image}/get`: an archive of one repository or image.

use std::io;

use drydock_engine::written;

use crate::{
    body::{Body, pieces},
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let names = vec![call.reference.clone()];
    save(&call, names).await
}

/// The archive of `names`. What a client should hear of comes before the first byte.
pub(super) async fn save(call: &Call, names: Vec<String>) -> Answered {
    let policy = call.policy();
    let mut save = if names.is_empty() && policy.saves_nothing() {
        drydock_images::Save::default()
    } else {
        call.on_images(move |images| images.save(&names)).await?
    };
    if policy.save_begins_with_root() {
        save = save.with_root_entry();
    }
    let archive = written(move |to| save.write(to).map_err(io::Error::other));
    Ok(Reply::body("saved", Body::stream(pieces(archive))))
}
