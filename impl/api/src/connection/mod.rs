//! One connection: hyper until a handler takes it over, then whoever took it.
//!
//! A handler that hijacks leaves a continuation in its connection's [`Slot`] and never returns; the connection's task
//! sees it once hyper's writes are flushed, takes the socket and the bytes that were read too far, and runs it.

mod escape;
mod hijack;
mod listen;
mod socket;

pub(crate) use hijack::{Busy, Hijacked, Slot};
pub(crate) use listen::Arrival;
pub use listen::Listener;
pub(crate) use socket::Socket;

use std::{convert::Infallible, future::poll_fn, io, pin::Pin, task::Poll};

use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use crate::body::Body;
use escape::Escaping;

/// Bytes of a request's head that are read before it is refused, as Go's server had it.
const HEAD_LIMIT: usize = (1 << 20) + 4096;

/// Header fields in a head.
const FIELD_LIMIT: usize = 1000;

/// Serves one connection to its end. `answer` is called for each request in turn.
pub(crate) async fn serve<F, A>(socket: Socket, answer: F) -> io::Result<()>
where
    F: Fn(Request<Incoming>, Slot) -> A,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let slot = Slot::new(&socket)?;
    let service = service_fn(|request| {
        let busy = slot.busy();
        let response = answer(request, slot.clone());
        Box::pin(async move { Ok::<_, Infallible>(response.await.map(|body| body.hold(busy))) })
    });
    // Half-close: clients shut their write side and go on reading. Never pipeline_flush: it skips the flushes that a
    // hijack waits for.
    let mut connection = http1::Builder::new()
        .half_close(true)
        .title_case_headers(true)
        .max_headers(FIELD_LIMIT)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(Escaping::new(TokioIo::new(socket), slot.clone()), service);
    let ended = poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(ended.map(|()| None));
        }
        slot.taken().map_or(Poll::Pending, |then| Poll::Ready(Ok(Some(then))))
    })
    .await;
    match ended {
        Ok(None) => Ok(()),
        Ok(Some(then)) => {
            // Drops the handler that waits for ever.
            let parts = connection.into_parts();
            let (socket, read) = parts.io.into_parts();
            let first = [&parts.read_buf[..], &read[..]].concat().into();
            then(Hijacked { first, socket }).await;
            Ok(())
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Writes `bytes` to a connection that was taken over.
pub(crate) async fn write_head(connection: &mut Hijacked, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}
