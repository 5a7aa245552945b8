//! A connection to a container's shim, for many askers at once.
//!
//! One task reads; whoever asks writes on the spot, and leaves to the task what the socket does not take.

use crate::Error;
use drydock_shim_protocol::{Answer, Attach, Event, Inbox, Message, Outbox, Refusal, Request, VERSION};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot, watch};

/// Why a shim did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShimError {
    #[error("the shim is gone")]
    Gone,
    #[error("the shim speaks version {0} of the protocol")]
    Version(u32),
    #[error("the shim refused")]
    Refused(#[source] Refusal),
    #[error("the shim answered something else")]
    Unexpected,
    #[error("the shim's socket")]
    Io(#[source] io::Error),
}

impl From<ShimError> for Error {
    fn from(error: ShimError) -> Self {
        Self::Shim(Box::new(error))
    }
}

/// A shim. Dropping it closes the connection; the shim goes on.
pub(crate) struct Shim {
    line: Arc<Line>,
    task: tokio::task::AbortHandle,
    /// Its sender lives as long as the task.
    over: watch::Receiver<()>,
}

struct Line {
    socket: UnixStream,
    state: Mutex<State>,
    unsent: Notify,
}

#[derive(Default)]
struct State {
    serial: u64,
    outbox: Outbox,
    asked: HashMap<u64, oneshot::Sender<Result<Answer, Refusal>>>,
    streams: HashMap<u64, watch::Sender<bool>>,
    over: bool,
}

/// An attached client.
pub(crate) struct Stream {
    /// Its name, for `Release`.
    pub(crate) serial: u64,
    /// Bytes in the log when it was attached.
    pub(crate) log_position: Option<u64>,
    pub(crate) over: watch::Receiver<bool>,
}

impl Stream {
    /// Until the client got its last byte or left, or the shim is gone.
    pub(crate) async fn ended(mut self) {
        let _ = self.over.wait_for(|over| *over).await;
    }
}

/// Events of a shim; `None` when it is gone.
pub(crate) type ShimEvents = mpsc::UnboundedReceiver<Event>;

impl Shim {
    /// Talks to the shim at the other end of `socket`.
    pub(crate) fn new(socket: StdUnixStream) -> io::Result<(Self, ShimEvents)> {
        socket.set_nonblocking(true)?;
        let line =
            Arc::new(Line { socket: UnixStream::from_std(socket)?, state: Mutex::default(), unsent: Notify::new() });
        // As many as things happen in the container; the supervisor reads them at once.
        let (sender, events) = mpsc::unbounded_channel();
        let (alive, over) = watch::channel(());
        let reading = Arc::clone(&line).read_all(sender);
        let task = tokio::spawn(async move {
            reading.await;
            drop(alive);
        });
        Ok((Self { line, task: task.abort_handle(), over }, events))
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, ShimError> {
        let (sender, answer) = oneshot::channel();
        self.line.send(request, &[], None, |state, serial| drop(state.asked.insert(serial, sender)))?;
        answer.await.map_err(|_| ShimError::Gone)?.map_err(ShimError::Refused)
    }

    /// Until the connection is over.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut over = self.over.clone();
        async move { drop(over.changed().await) }
    }

    /// Asks for something that has no answer of interest but that it was done.
    pub(crate) async fn done(&self, request: Request) -> Result<(), ShimError> {
        match self.ask(request).await? {
            Answer::Done => Ok(()),
            _ => Err(ShimError::Unexpected),
        }
    }

    /// Hands a client's socket over. `first`: bytes that were read from it already.
    pub(crate) async fn attach(&self, attach: Attach, first: &[u8], client: OwnedFd) -> Result<Stream, ShimError> {
        let (answer_to, answer) = oneshot::channel();
        let (end_to, over) = watch::channel(false);
        let serial = self.line.send(Request::Attach(attach), first, Some(client), |state, serial| {
            state.asked.insert(serial, answer_to);
            state.streams.insert(serial, end_to);
        })?;
        let answer = answer.await.map_err(|_| ShimError::Gone).and_then(|r| r.map_err(ShimError::Refused));
        match answer {
            Ok(Answer::Attached { log_position }) => Ok(Stream { serial, log_position, over }),
            Ok(_) => Err(ShimError::Unexpected),
            Err(error) => {
                self.line.lock().streams.remove(&serial);
                Err(error)
            }
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(
        &self,
        request: Request,
        blob: &[u8],
        descriptor: Option<OwnedFd>,
        expect: impl FnOnce(&mut State, u64),
    ) -> Result<u64, ShimError> {
        let mut state = self.lock();
        if state.over {
            return Err(ShimError::Gone);
        }
        state.serial += 1;
        let serial = state.serial;
        let queued = state.outbox.request(serial, request, blob, descriptor);
        queued.map_err(|error| ShimError::Io(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        expect(&mut state, serial);
        match state.outbox.flush(&self.socket) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unsent.notify_one(),
            // The reader sees the end, too, and answers everybody.
            Err(_) => return Err(ShimError::Gone),
        }
        Ok(serial)
    }

    async fn read_all(self: Arc<Self>, events: mpsc::UnboundedSender<Event>) {
        let mut inbox = Inbox::default();
        while let Ok(true) = self.read_some(&mut inbox, &events).await {}
        let mut state = self.lock();
        state.over = true;
        // Dropping the senders is the answer `Gone`.
        state.asked.clear();
        state.streams.clear();
    }

    /// `false`: the shim is gone.
    async fn read_some(&self, inbox: &mut Inbox, events: &mpsc::UnboundedSender<Event>) -> Result<bool, ShimError> {
        let interest =
            if self.lock().outbox.is_empty() { Interest::READABLE } else { Interest::READABLE.add(Interest::WRITABLE) };
        let ready = tokio::select! {
            ready = self.socket.ready(interest) => ready.map_err(ShimError::Io)?,
            // Nothing is lost: the next round asks for both.
            () = self.unsent.notified() => return Ok(true),
        };
        if ready.is_writable() {
            let _ = self.socket.try_io(Interest::WRITABLE, || self.lock().outbox.flush(&self.socket));
        }
        if !ready.is_readable() && !ready.is_read_closed() {
            return Ok(true);
        }
        match self.socket.try_io(Interest::READABLE, || inbox.fill(&self.socket)) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(ShimError::Io(error)),
        }
        while let Some(envelope) = inbox.message().map_err(|_| ShimError::Unexpected)? {
            self.take(envelope.message, events)?;
        }
        Ok(true)
    }

    fn take(&self, message: Message, events: &mpsc::UnboundedSender<Event>) -> Result<(), ShimError> {
        match message {
            Message::Hello(hello) if hello.version != VERSION => return Err(ShimError::Version(hello.version)),
            Message::Hello(_) => {}
            Message::Reply(reply) => {
                if let Some(asker) = self.lock().asked.remove(&reply.serial) {
                    let _ = asker.send(reply.result);
                }
            }
            Message::Event(Event::StreamEnded { stream }) => {
                if let Some(waiter) = self.lock().streams.remove(&stream) {
                    waiter.send_replace(true);
                }
            }
            Message::Event(event) => drop(events.send(event)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_shim_protocol::{Hello, Reply};

    fn answer(socket: &StdUnixStream, message: &Message) {
        let mut outbox = Outbox::default();
        outbox.message(message).unwrap();
        outbox.flush(socket).unwrap();
    }

    #[tokio::test]
    async fn answers_find_their_askers_in_any_order_and_an_end_answers_the_rest() {
        let (ours, theirs) = StdUnixStream::pair().unwrap();
        answer(&theirs, &Message::Hello(Hello { version: VERSION, pid: 1 }));
        let (shim, mut events) = Shim::new(ours).unwrap();
        let shim = Arc::new(shim);
        let ask = |request| {
            let shim = Arc::clone(&shim);
            tokio::spawn(async move { shim.ask(request).await })
        };
        let (pause, status, lost) = (ask(Request::Pause), ask(Request::SyncLog), ask(Request::Unpause));
        let server = tokio::task::spawn_blocking(move || {
            let mut inbox = Inbox::default();
            let mut asked = Vec::new();
            while asked.len() < 3 {
                inbox.fill(&theirs).unwrap();
                while let Some((serial, envelope)) = inbox.request().unwrap() {
                    asked.push((serial, envelope.message));
                }
            }
            for (serial, request) in asked.into_iter().rev() {
                let result = match request {
                    Request::Pause => Ok(Answer::Done),
                    Request::SyncLog => Err(Refusal::NotRunning),
                    _ => continue,
                };
                answer(&theirs, &Message::Reply(Reply { serial, result }));
            }
            let at = drydock_core::Timestamp::ZERO;
            answer(&theirs, &Message::Event(Event::OutOfMemory { at }));
        });
        assert!(matches!(pause.await.unwrap(), Ok(Answer::Done)));
        assert!(matches!(status.await.unwrap(), Err(ShimError::Refused(Refusal::NotRunning))));
        server.await.unwrap();
        assert!(matches!(lost.await.unwrap(), Err(ShimError::Gone)));
        assert!(matches!(events.recv().await, Some(Event::OutOfMemory { .. })));
        assert!(events.recv().await.is_none());
        assert!(matches!(shim.ask(Request::Pause).await, Err(ShimError::Gone)));
    }
}
