//! HTTP: connections, the versioned router, decoding, policy, views, hijack and websocket.
//!
//! One straight way for a request: [`connection`] reads it, `front` finds version and endpoint in the spec's route
//! table, `handlers` calls the endpoint's own file, which decodes (`query`, `decode`), makes a command with its policy
//! (`policy`), calls the engine, and gives a reply; `reply` projects it to the version's shape and words. Errors
//! become outcomes of the spec in `outcomes`.

#![forbid(unsafe_code)]

mod body;
mod call;
pub mod connection;
mod containers;
mod decode;
mod exec;
mod facts;
mod front;
mod handlers;
mod images;
mod json;
mod outcomes;
mod policy;
mod query;
mod reply;
mod system;
mod takeover;

use std::sync::Arc;

use drydock_engine::Engine;
use drydock_images::Images;
use hyper::header::HeaderValue;
use tokio::sync::watch;

pub use connection::Listener;
pub use facts::{Facts, KernelLimits};

/// The API of a daemon. Clones are the same.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

struct Shared {
    engine: Engine,
    images: Images,
    facts: Facts,
    /// What `Access-Control-Allow-Origin` says, where cross-origin requests are allowed.
    cors: Option<HeaderValue>,
}

impl Api {
    /// The API of `engine` and `images`.
    pub fn new(engine: Engine, images: Images, facts: Facts, cors: Option<HeaderValue>) -> Self {
        Self(Arc::new(Shared { engine, images, facts, cors }))
    }

    /// Accepts clients until `closing` turns true.
    pub async fn serve(self, listener: Listener, mut closing: watch::Receiver<bool>) {
        loop {
            let arrived = tokio::select! {
                // Dropped half way, an accept loses no client: the kernel still has it.
                arrived = listener.accept() => arrived,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match arrived {
                Ok(arrival) => drop(tokio::spawn(self.clone().client(arrival))),
                // Out of descriptors: those of clients that leave come back.
                Err(error) => {
                    tracing::warn!(%error, "accepting a client");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn client(self, arrival: connection::Arrival) {
        let served = async {
            let socket = arrival.socket().await?;
            connection::serve(socket, move |request, slot| front::answer(self.clone(), request, slot), front::refuse)
                .await
        };
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended");
        }
    }
}
