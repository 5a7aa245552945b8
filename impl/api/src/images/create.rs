//! `POST /images/create`: an image from an archive, in the body or at a URL. Pulling needs a registry client, which
//! this daemon does not have yet.

use std::io::{self, Read};

use bytes::Bytes;
use drydock_core::{Id, ImageReference, RepositoryError, Timestamp};
use drydock_engine::Action;
use drydock_images::{Images, NewImage};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    body::{self, Body},
    call::Call,
    images::{
        fetch::{self, Fetched},
        progress,
    },
    json,
    outcomes::chain,
    reply::{self, Answered, Refusal, Reply, closing},
};

pub(crate) async fn handle(mut call: Call) -> Answered {
    let pulled = call.query.text("fromImage");
    if !pulled.is_empty() {
        let reference = ImageReference::split(pulled);
        call.policy().repositories().check(reference.registry().1).map_err(|error| refuse_repository(&error))?;
        return Ok(Reply::unimplemented());
    }
    match call.query.text("fromSrc") {
        "-" => {
            let closes = call.has_body() && call.policy().archives_end_connections();
            let imported = import(&mut call).await;
            // A success has begun to be told by the time the archive is read.
            let closes = closes && imported.is_err();
            closing(imported, closes)
        }
        source => {
            let url = if source.contains("://") { source.to_owned() } else { format!("http://{source}") };
            let import = Import::new(&call)?;
            Ok(Reply::body("pulled", download(&call, url, import)))
        }
    }
}

/// An image from the archive in the body.
async fn import(call: &mut Call) -> Answered {
    let import = Import::new(call)?;
    let archive = body::reader(body::incoming(call.take_body()));
    let api = call.api.clone();
    let image = api.images(move |images| import.run(images, archive)).await;
    let image = image.map_err(|error| call.refuse_import(error))?;
    call.api.0.engine.tell_of_image(Action::Import, image.to_string());
    let line = [json::to_vec(&json!({"status": image.to_string()})), b"\r\n".to_vec()].concat();
    Ok(Reply::body("pulled", Body::whole(line)).chunked())
}

/// A repository's name that the version's daemon refuses.
fn refuse_repository(error: &RepositoryError) -> Refusal {
    Box::new(match error {
        RepositoryError::NameCharacters(name) => Reply::new("name-malformed").with("repository", name),
        RepositoryError::NamespaceCharacters(namespace)
        | RepositoryError::NamespaceLength(namespace)
        | RepositoryError::NamespaceHyphen(namespace)
        | RepositoryError::NamespaceHyphens(namespace) => {
            Reply::new("namespace-malformed").with("namespace", namespace)
        }
        other => Reply::new("name-malformed").with("repository", other.to_string()),
    })
}

/// What is to become of an archive.
struct Import {
    repository: String,
    tag: String,
    tagging: drydock_images::TagPolicy,
    image: NewImage,
}

impl Import {
    fn new(call: &Call) -> Result<Self, Refusal> {
        let named = ImageReference::split(call.query.text("repo"));
        let tag = match (call.query.text("tag"), &named.selector) {
            ("", Some(drydock_core::Selector::Tag(tag))) => tag.clone(),
            (tag, _) => tag.to_owned(),
        };
        let tagging = call.policy().tagging();
        if !tag.is_empty() {
            tagging.tags.check(&tag).map_err(|error| call.refuse_image(error.into()))?;
        }
        let source = call.query.text("fromSrc");
        let image = NewImage {
            comment: format!("Imported from {source}"),
            docker_version: call.version.daemon().to_owned(),
            config: if call.policy().imports_have_a_config() { json!({}) } else { Value::Null },
            ..NewImage::default()
        };
        Ok(Self { repository: named.repository, tag, tagging, image })
    }

    /// Makes the image and names it.
    fn run(self, images: &Images, archive: impl Read + Send) -> drydock_images::Result<Id> {
        let id = images.create(&self.image, archive)?.id;
        if !self.repository.is_empty() {
            images.tag(&id.to_string(), &self.repository, &self.tag, true, &self.tagging)?;
        }
        Ok(id)
    }
}

/// The messages of a download and what comes of it.
fn download(call: &Call, url: String, import: Import) -> Body {
    let (sender, mut receiver) = mpsc::channel(16);
    let (api, version, endpoint) = (call.api.clone(), call.version, call.endpoint);
    tokio::spawn(async move {
        let tell = Tell { sender, place: move |value| reply::message(version, endpoint, "pulled", value) };
        tell.line(json!({"status": format!("Downloading from {url}")})).await;
        let fetched = match fetch::fetch(&url).await {
            Ok(fetched) => fetched,
            Err(error) => return tell.fail(&error.to_string()).await,
        };
        let Fetched { total, body } = fetched;
        let progress = Progress { total, began: Timestamp::now().unix_seconds() };
        let watched = Watched { inner: body::reader(body), read: 0, told: 0, progress, tell: tell.clone() };
        let imported = api.images(move |images| import.run(images, watched)).await;
        if let Ok(image) = &imported {
            api.0.engine.tell_of_image(Action::Import, image.to_string());
            tell.line(json!({"status": image.to_string()})).await;
        }
        // The end of the transfer is told when its reader goes, which is after the image.
        tell.message(progress.at(total)).await;
        if let Err(error) = imported {
            tell.fail(&chain(&error)).await;
        }
    });
    Body::stream(stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

/// Sends messages to the client. That it has left is no reason to stop: the image is wanted.
#[derive(Clone)]
struct Tell<F> {
    sender: mpsc::Sender<io::Result<Bytes>>,
    place: F,
}

impl<F: Fn(Value) -> Bytes> Tell<F> {
    async fn message(&self, value: Value) {
        let _ = self.sender.send(Ok((self.place)(value))).await;
    }

    /// A message that ends its line, as all do that tell no progress.
    async fn line(&self, value: Value) {
        let line = [&(self.place)(value)[..], b"\r\n"].concat();
        let _ = self.sender.send(Ok(line.into())).await;
    }

    async fn fail(&self, text: &str) {
        self.line(json!({"errorDetail": {"message": text}, "error": text})).await;
    }
}

/// How far a transfer is: of how many bytes, and since when (Unix seconds).
#[derive(Clone, Copy)]
struct Progress {
    total: u64,
    began: i64,
}

impl Progress {
    fn at(self, current: u64) -> Value {
        progress::message("Importing", current, self.total, self.began)
    }

    /// Bytes after which it is told again: 512 KB, or a hundredth.
    fn step(self) -> u64 {
        const STEP: u64 = 512 << 10;
        if self.total == 0 { STEP } else { STEP.min(self.total / 100) }
    }
}

/// A reader that tells how far it is.
struct Watched<R, F> {
    inner: R,
    read: u64,
    told: u64,
    progress: Progress,
    tell: Tell<F>,
}

impl<R: Read, F: Fn(Value) -> Bytes> Read for Watched<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        if count == 0 || self.read - self.told > self.progress.step() {
            self.told = self.read;
            let message = (self.tell.place)(self.progress.at(self.read));
            let _ = self.tell.sender.blocking_send(Ok(message));
        }
        Ok(count)
    }
}
