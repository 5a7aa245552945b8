//! One connection: a request, its answer, the next; or who took it over.
//!
//! The genuine daemons' server had its own idea of what a head may look like and of when a connection ends, which no
//! library shares; and a connection that is taken over has to be had whole, with every byte that came. So heads,
//! bodies and answers are read and written here.

mod answer;
mod framing;
mod head;
mod hijack;
mod listen;
mod socket;
pub(crate) mod websocket;
mod wire;

pub(crate) use answer::Response;
pub(crate) use hijack::{Hijacked, Slot};
pub(crate) use listen::Arrival;
pub use listen::Listener;
pub(crate) use socket::Socket;
pub(crate) use wire::{Broken, Incoming};

use std::{future::poll_fn, io, pin::pin, task::Poll, time::Duration};

use hyper::{HeaderMap, Method, StatusCode};
use tokio::{io::AsyncWriteExt, time::timeout};

use head::Head;
use hijack::Continuation;
use wire::{Arrived, Unread, Wire};

/// How long a client that sends on is listened to after its last answer, lest that be lost to it.
const LINGER: Duration = Duration::from_millis(500);

/// A request whose head was read.
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Decoded, without the query.
    pub(crate) path: String,
    /// As it was sent.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
}

/// Why there is no request to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRequest {
    Malformed,
    HeadTooLarge,
}

enum Came {
    Answer(Response),
    Takeover(Continuation),
}

/// Serves one connection to its end. `answer` is called for each request in turn, `refuse` for what is none.
pub(crate) async fn serve<F, A>(socket: Socket, answer: F, refuse: fn(NoRequest) -> StatusCode) -> io::Result<()>
where
    F: Fn(Request, Slot) -> A,
    A: Future<Output = Response>,
{
    let mut wire = Wire::new(socket);
    loop {
        let mut searched = 0;
        let refused = match poll_fn(|cx| wire.poll_request(cx, &mut searched)).await {
            Ok(Arrived::Request(head, body)) => {
                let Head { method, path, query, headers, manner, .. } = *head;
                let request = Request { method, path, query, headers, body };
                match handle(&wire, answer(request, Slot::new(wire.clone()))).await {
                    Came::Takeover(then) => {
                        if !poll_fn(|cx| wire.poll_told_body(cx)).await {
                            return leave(wire).await;
                        }
                        let (socket, first) = wire.into_parts()?;
                        then(Hijacked { first, socket }).await;
                        return Ok(());
                    }
                    Came::Answer(response) => {
                        // Who reads the body while the answer is written may read on.
                        let keep = wire.is_held() || rest(&wire).await;
                        let keep = answer::write(&mut wire, response, manner, keep).await?;
                        if keep && rest(&wire).await {
                            continue;
                        }
                    }
                }
                return leave(wire).await;
            }
            Ok(Arrived::Nothing) => return wire.shutdown().await,
            Err(Unread::Malformed) => NoRequest::Malformed,
            Err(Unread::TooLarge) => NoRequest::HeadTooLarge,
            Err(Unread::Io(error)) => return Err(error),
        };
        answer::refuse(&mut wire, refuse(refused)).await?;
        return leave(wire).await;
    }
}

/// Waits for a request's answer, or for the connection to be taken over: that drops the handler, which waits for ever.
async fn handle(wire: &Wire, answer: impl Future<Output = Response>) -> Came {
    let mut answer = pin!(answer);
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Came::Answer(response)),
        Poll::Pending => wire.taken().map_or(Poll::Pending, |then| Poll::Ready(Came::Takeover(then))),
    })
    .await
}

/// Reads away what is left of a body: whether the next request can be read.
async fn rest(wire: &Wire) -> bool {
    let mut skipped = 0;
    poll_fn(|cx| wire.poll_rest(cx, &mut skipped)).await
}

/// Ends a connection. What the client is still sending is read for a while: a socket closed over unread bytes takes
/// the answer with it.
async fn leave(mut wire: Wire) -> io::Result<()> {
    wire.shutdown().await?;
    let gone = async { while poll_fn(|cx| wire.poll_discard(cx)).await {} };
    let _ = timeout(LINGER, gone).await;
    Ok(())
}

/// Writes `bytes` to a connection that was taken over.
pub(crate) async fn write_head(connection: &mut Hijacked, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}

#[cfg(test)]
mod tests;
