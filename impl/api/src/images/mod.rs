//! `/images`, and `/commit`: one file per endpoint.

pub(crate) mod commit;
pub(crate) mod create;
pub(crate) mod delete;
mod fetch;
pub(crate) mod get;
pub(crate) mod get_many;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod load;
mod progress;
pub(crate) mod tag;
pub(crate) mod view;

use crate::{Api, call::Call, reply::Refusal};
use drydock_images::Images;

impl Api {
    /// Runs `work` on the image store on a thread that may block.
    pub(crate) async fn images<T: Send + 'static>(&self, work: impl FnOnce(&Images) -> T + Send + 'static) -> T {
        let images = self.0.images.clone();
        match tokio::task::spawn_blocking(move || work(&images)).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Call {
    /// The same, with the store's error as this endpoint's refusal.
    pub(crate) async fn on_images<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Images) -> drydock_images::Result<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.api.images(work).await.map_err(|error| self.refuse_image(error))
    }
}
