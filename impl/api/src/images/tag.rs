//! `POST /images/{image}/tag`.

use drydock_engine::Action;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let repository = call.query.text("repo").to_owned();
    let tag = call.query.text("tag").to_owned();
    let (reference, force, policy) = (call.reference.clone(), call.query.flag("force"), call.policy().tagging());
    let (into, named) = (repository.clone(), tag.clone());
    call.on_images(move |images| images.tag(&reference, &into, &named, force, &policy)).await?;
    let tag = if tag.is_empty() { drydock_core::ImageReference::DEFAULT_TAG } else { &tag };
    call.api.0.engine.tell_of_image(Action::Tag, format!("{repository}:{tag}"));
    Ok(Reply::new("tagged"))
}
