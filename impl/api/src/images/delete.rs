//! `DELETE /images/{image}`.

use drydock_engine::{Action, List, ListFilters};
use drydock_images::{Delete, Deleted, User};
use serde_json::json;

use crate::{
    call::Call,
    reply::{Answered, Reply},
};

pub(crate) async fn handle(call: Call) -> Answered {
    let delete = Delete {
        reference: call.reference.clone(),
        force: call.query.flag("force"),
        keep_parents: call.query.flag("noprune"),
        policy: call.policy().deleting(),
    };
    let list = List {
        all: true,
        limit: None,
        since: None,
        before: None,
        size: false,
        filters: ListFilters::default(),
        image_names: false,
        exit_codes: call.policy().exit_codes(),
    };
    let containers = call.api.0.engine.list(list).await.map_err(|error| call.refuse(error))?;
    let users: Vec<User> = containers
        .iter()
        .filter_map(|item| {
            let running = item.snapshot.state.is_up();
            Some(User { container: item.snapshot.id, image: item.snapshot.image?, running })
        })
        .collect();
    let deleted = call.on_images(move |images| images.delete(&delete, &|| users.clone())).await?;
    let told = deleted.iter().map(|deleted| match deleted {
        Deleted::Untagged(name, image) => {
            call.api.0.engine.tell_of_image(Action::Untag, image.to_string());
            json!({"Untagged": name})
        }
        Deleted::Image(image) => {
            call.api.0.engine.tell_of_image(Action::Delete, image.to_string());
            json!({"Deleted": image})
        }
    });
    Ok(Reply::json("deleted", told.collect()))
}
