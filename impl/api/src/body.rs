//! Request and response bodies.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use drydock_engine::ByteStream;
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};

use crate::connection::{Busy, Slot};

/// Bytes up to which an answer tells its length before it; longer ones go out in chunks, as Go's server had it.
const WITH_LENGTH: usize = 2048;

/// A response's body.
pub(crate) struct Body {
    content: Content,
    /// Until the body is sent, bytes of this connection are no request's head.
    busy: Option<Busy>,
}

enum Content {
    Whole(Option<Bytes>),
    Stream(Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>),
}

impl Body {
    pub(crate) fn empty() -> Self {
        Self { content: Content::Whole(None), busy: None }
    }

    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { content: Content::Whole((!bytes.is_empty()).then_some(bytes)), busy: None }
    }

    /// A body of pieces; each is sent as one chunk, at once. An error cuts the response short.
    pub(crate) fn stream(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        Self { content: Content::Stream(Box::pin(pieces)), busy: None }
    }

    /// A stream that ends when its client leaves, also while nothing is sent.
    pub(crate) fn stream_while_connected(
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        slot: Slot,
    ) -> Self {
        Self::stream(pieces.take_until(Box::pin(async move { slot.closed().await })))
    }

    /// The same in chunks, however short it is.
    pub(crate) fn chunked(self) -> Self {
        match self.content {
            Content::Whole(Some(bytes)) => Self::stream(stream::once(std::future::ready(Ok(bytes)))),
            content => Self { content, ..self },
        }
    }

    pub(crate) fn hold(mut self, busy: Busy) -> Self {
        self.busy = Some(busy);
        self
    }
}

/// The engine's bytes as a stream.
pub(crate) fn pieces(mut bytes: ByteStream) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::poll_fn(move |cx| bytes.poll_next(cx))
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(pieces) => {
                pieces.as_mut().poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(None) => SizeHint::with_exact(0),
            Content::Whole(Some(bytes)) if bytes.len() <= WITH_LENGTH => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

/// Why a request's body could not be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Its chunks are malformed, or it ended early.
    Framing,
    /// It is longer than any JSON that a client sends.
    TooLarge,
}

/// Bytes of JSON in a request that are read.
const JSON_LIMIT: usize = 4 << 20;

/// Reads a request's body that is to be JSON.
pub(crate) async fn read(body: &mut Incoming) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Broken::Framing)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > JSON_LIMIT {
                return Err(Broken::TooLarge);
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// A request's body for a reader on a thread that may block. Bounded: the client waits while the reader is busy.
pub(crate) fn reader(body: impl Into<Option<Incoming>>) -> impl io::Read + Send + 'static {
    let mut body = body.into();
    let (sender, receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(4);
    tokio::spawn(async move {
        while let Some(frame) = next(&mut body).await {
            let piece = match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
                Err(error) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
            };
            if sender.send(piece).await.is_err() {
                return;
            }
        }
    });
    Reader { receiver, piece: Bytes::new() }
}

async fn next(body: &mut Option<Incoming>) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    body.as_mut()?.frame().await
}

struct Reader {
    receiver: tokio::sync::mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl io::Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
