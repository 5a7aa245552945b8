//! `GET /images/{image}/get`: an archive of one repository or image.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use tokio::sync::mpsc;

use crate::{
    body::Body,
    call::Call,
    reply::{Answered, Reply},
};

/// Bytes of a piece, and pieces on their way: what a slow client costs at most.
const PIECE: usize = 64 * 1024;
const QUEUE: usize = 4;

pub(crate) async fn handle(call: Call) -> Answered {
    let names = vec![call.reference.clone()];
    save(&call, names).await
}

/// The archive of `names`. What a client should hear of comes before the first byte.
pub(super) async fn save(call: &Call, names: Vec<String>) -> Answered {
    let policy = call.policy();
    let mut save = if names.is_empty() && policy.saves_nothing() {
        drydock_images::Save::default()
    } else {
        call.on_images(move |images| images.save(&names)).await?
    };
    if policy.save_begins_with_root() {
        save = save.with_root_entry();
    }
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let mut to = Pieces { sender: sender.clone(), piece: BytesMut::with_capacity(PIECE) };
        let written = save.write(&mut to).map_err(io::Error::other).and_then(|()| io::Write::flush(&mut to));
        if let Err(error) = written {
            // Nobody is there to hear it where the client has left.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Ok(Reply::body("saved", Body::stream(stream::poll_fn(move |cx| receiver.poll_recv(cx)))))
}

struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE)).freeze();
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
