//! `commit`: an image from a container.

use crate::chores::blocking;
use crate::config::{ContainerConfig, merge};
use crate::container::{Definition, Phase};
use crate::events::Action;
use crate::{Engine, Error, Target};
use drydock_core::Id;
use drydock_images::{NewImage, TagPolicy};

/// Make an image of a container.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Of which.
    pub target: Target,
    /// Repository of the new image; empty: none.
    pub repository: String,
    /// Tag; empty: `latest`.
    pub tag: String,
    /// Which tags are allowed.
    pub tag_rules: drydock_core::TagRules,
    /// The version that is told of the daemon.
    pub docker_version: String,
    /// A word on it.
    pub comment: String,
    /// Who made it.
    pub author: String,
    /// Freeze the container meanwhile.
    pub pause: bool,
    /// Configuration of the image; the container's is merged in.
    pub config: Option<ContainerConfig>,
}

impl Engine {
    /// Makes an image of a container.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `Images`.
    pub async fn commit(&self, command: Commit) -> Result<Id, Error> {
        let engine = self.clone();
        self.to_the_end(async move { engine.make_image(command).await }).await
    }

    async fn make_image(&self, command: Commit) -> Result<Id, Error> {
        let container = self.find(&command.target)?;
        let policy = TagPolicy { tags: command.tag_rules, reserved: &[], replace: true };
        if !command.repository.is_empty() {
            policy.check(&command.repository, &command.tag)?;
        }
        let body = container.lock().await?;
        // Nobody is told of this pause; one that a client asked for stays.
        let frozen = match &body.phase {
            Phase::Running(live) if command.pause => live.freeze().await.is_ok(),
            _ => false,
        };
        let definition = body.definition.clone();
        let (engine, id) = (self.clone(), container.id);
        let made = blocking(move || engine.write_image(id, &definition, command, &policy)).await;
        if let (true, Some(live)) = (frozen, body.phase.live()) {
            live.thaw().await?;
        }
        let image = made?;
        drop(body);
        self.tell(&container, Action::Commit);
        Ok(image)
    }

    fn write_image(
        &self,
        container: Id,
        definition: &Definition,
        command: Commit,
        policy: &TagPolicy,
    ) -> Result<Id, Error> {
        let mut config = command.config.unwrap_or_default();
        merge(&mut config, &definition.config, false);
        let json = |config: &ContainerConfig| serde_json::to_value(config).unwrap_or_default();
        let new = NewImage {
            parent: definition.image,
            comment: command.comment,
            author: command.author,
            docker_version: command.docker_version,
            container: Some(container),
            container_config: json(&definition.config),
            config: json(&config),
        };
        let images = &self.0.images;
        let image = images.commit(&new, &images.layers().rootfs(container)?)?;
        if !command.repository.is_empty() {
            images.tag(&image.id.to_string(), &command.repository, &command.tag, true, policy)?;
        }
        Ok(image.id)
    }
}
