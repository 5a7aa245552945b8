//! `POST /images/{image}/tag`.

use drydock_core::RepositoryError;
use drydock_engine::Action;

use crate::{
    call::Call,
    reply::{Answered, Refusal, Reply},
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

/// A repository's name that the version's daemon refuses.
pub(super) fn refuse_repository(error: RepositoryError, outcome: &'static str) -> Refusal {
    let text = match &error {
        RepositoryError::NameCharacters(name) => return Box::new(Reply::new(outcome).with("repository", name)),
        other => other.to_string(),
    };
    Box::new(Reply::new("namespace-malformed").with("namespace", text))
}
