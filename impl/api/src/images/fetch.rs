//! Fetching an archive by plain HTTP.

use std::{io, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http_body_util::{BodyDataStream, Empty};
use hyper::{Request, Uri, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use nix::errno::Errno;
use tokio::net::TcpStream;

/// An archive that begins to come.
pub(super) struct Fetched {
    /// Bytes in all; 0 where the server does not say.
    pub(super) total: u64,
    pub(super) body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

/// Why nothing came, in the words that clients of the genuine daemons read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Get {url}: http: no Host in request URL")]
    NoHost { url: String },
    #[error("Get {url}: unsupported protocol scheme")]
    Scheme { url: String },
    #[error("Get {url}: dial tcp {address}: {reason}")]
    Dial { url: String, address: String, reason: String },
    #[error("Get {url}: {reason}")]
    Talk { url: String, reason: String },
    #[error("Got HTTP status code >= 400: {0}")]
    Status(String),
}

/// Fetches `url`, which is absolute and of the scheme `http`.
pub(super) async fn fetch(url: &str) -> Result<Fetched, Error> {
    let own = || url.to_owned();
    let talk = |error: hyper::Error| Error::Talk { url: own(), reason: error.to_string() };
    let uri: Uri = url.parse().map_err(|_| Error::NoHost { url: own() })?;
    let authority = uri.authority().ok_or_else(|| Error::NoHost { url: own() })?;
    if uri.scheme_str() != Some("http") {
        return Err(Error::Scheme { url: own() });
    }
    let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(&address).await.map_err(|error| Error::Dial {
        url: own(),
        address,
        reason: reason(&error),
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(talk)?;
    tokio::spawn(connection);
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let request = Request::get(target).header(HOST, authority.as_str()).body(Empty::<Bytes>::new());
    let request = request.map_err(|error| Error::Talk { url: own(), reason: error.to_string() })?;
    let response = sender.send_request(request).await.map_err(talk)?;
    if response.status().as_u16() >= 400 {
        return Err(Error::Status(response.status().to_string()));
    }
    let length =
        response.headers().get(hyper::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    Ok(Fetched {
        total: length.unwrap_or(0),
        body: Box::pin(BodyDataStream::new(response.into_body()).map_err(io::Error::other)),
    })
}

fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |errno| Errno::from_raw(errno).desc().to_lowercase())
}
