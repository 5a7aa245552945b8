//! `attach`: a client's socket becomes the container's stdio.
//!
//! The socket goes to the shim, which reads and writes it; a client that came before the start waits here, and is the
//! first thing the shim is told of, so that it misses nothing.

use crate::container::{Container, Phase};
use crate::containers::logs::{LogReader, send_all};
use crate::run::{Shim, ShimError, Stream};
use crate::streams::{ClientSocket, Framing, QUEUE};
use crate::{Engine, Error, Target};
use bytes::Bytes;
use drydock_logs::{Query, Tail};
use drydock_shim_protocol::{Attach as ShimAttach, InputEnd, Process, Request, Streams};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

/// Attach to a container.
#[derive(Clone, Debug)]
pub struct Attach {
    /// To which.
    pub target: Target,
    /// First, what is in the log.
    pub logs: bool,
    /// Then what comes, until the container ends.
    pub stream: bool,
    /// Bytes of the client are its stdin.
    pub stdin: bool,
    /// Stdout.
    pub stdout: bool,
    /// Stderr.
    pub stderr: bool,
    /// Frames, where there is no terminal; a websocket takes raw bytes always.
    pub framing: AttachFraming,
}

/// How an attached client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachFraming {
    /// Frames without a terminal, raw with one.
    ByTerminal,
    /// Raw always.
    Raw,
}

/// An attach that will work: what the view needs for the head, then [`Self::run`].
pub struct Attachment {
    /// How the bytes are to be read.
    pub framing: Framing,
    /// The client's bytes go somewhere: it asked for that, and the container has an open stdin.
    pub takes_input: bool,
    engine: Engine,
    container: Arc<Container>,
    command: Attach,
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("framing", &self.framing).finish_non_exhaustive()
    }
}

/// A client that came before the start.
pub(crate) struct EarlyClient {
    attach: ShimAttach,
    client: ClientSocket,
    attached: oneshot::Sender<Stream>,
}

impl EarlyClient {
    /// Hands the client over, before the container starts.
    pub(crate) async fn hand_to(self, shim: &Shim) {
        if let Ok(stream) = shim.attach(self.attach, &self.client.first, self.client.fd).await {
            let _ = self.attached.send(stream);
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.attached.is_closed()
    }
}

impl Engine {
    /// Finds the container and says how it will be read. Nothing flows yet.
    ///
    /// # Errors
    /// `NoSuchContainer`….
    pub async fn attach(&self, command: Attach) -> Result<Attachment, Error> {
        let container = self.find(&command.target)?;
        let config = Arc::clone(&container.view().config);
        let framing = match command.framing {
            AttachFraming::ByTerminal if !config.tty => Framing::Multiplexed,
            _ => Framing::Raw,
        };
        let takes_input = command.stream && command.stdin && config.open_stdin;
        Ok(Attachment { framing, takes_input, engine: self.clone(), container, command })
    }
}

impl Attachment {
    /// Lets it flow; returns when the stream is over and the socket closed. Waits for a container that does not run to
    /// be started.
    ///
    /// # Errors
    /// `Shim` when the container's shim is gone, `Io` when the client is while the log is told.
    pub async fn run(self, client: ClientSocket) -> Result<(), Error> {
        let attach = self.shim_attach();
        if !self.command.stream || attach.streams == Streams::default() {
            return if self.command.logs { self.tell_log(&client.fd, None).await } else { Ok(()) };
        }
        let copy = client.fd.try_clone().map_err(socket_error)?;
        let mut body = self.container.lock().await?;
        let (stream, shim) = match &body.phase {
            Phase::Running(live) | Phase::Paused(live) => {
                let shim = Arc::clone(&live.shim);
                drop(body);
                let hold = ShimAttach { hold: self.command.logs, ..attach };
                (shim.attach(hold, &client.first, client.fd).await?, Some(shim))
            }
            _ => {
                let (attached, stream) = oneshot::channel();
                body.early_clients.retain(|client| !client.is_gone());
                body.early_clients.push(EarlyClient { attach, client, attached });
                drop(body);
                if self.command.logs {
                    self.tell_log(&copy, None).await?;
                }
                drop(copy);
                // No stream: the container went, or its start failed.
                let Ok(stream) = stream.await else { return Ok(()) };
                stream.ended().await;
                return Ok(());
            }
        };
        if let (true, Some(shim)) = (self.command.logs, shim) {
            self.tell_log(&copy, stream.log_position).await?;
            match shim.done(Request::Release { stream: stream.serial }).await {
                Ok(()) | Err(ShimError::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        drop(copy);
        stream.ended().await;
        Ok(())
    }

    fn shim_attach(&self) -> ShimAttach {
        let view = self.container.view();
        let config = &view.config;
        let command = &self.command;
        ShimAttach {
            process: Process::Init,
            streams: Streams { stdin: self.takes_input, stdout: command.stdout, stderr: command.stderr },
            framing: self.framing.into(),
            // A client that has said all is let go, unless its end is the program's: recorded so.
            input_end: if config.stdin_once && !config.tty { InputEnd::Close } else { InputEnd::Detach },
            hold: false,
            detach_keys: if config.tty { vec![16, 17] } else { Vec::new() },
        }
    }

    /// Writes the log to the client, up to `until` bytes of its file.
    async fn tell_log(&self, client: &OwnedFd, until: Option<u64>) -> Result<(), Error> {
        let (config, _, _) = self.engine.log_of(&self.container).await?;
        let query =
            Query { stdout: self.command.stdout, stderr: self.command.stderr, tail: Tail::All, since: None, until };
        let log = match LogReader::open(&config, query, self.framing, false) {
            Ok(log) => log,
            // A driver that keeps nothing has nothing to tell.
            Err(Error::LogsUnreadable(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let (sender, mut pieces) = mpsc::channel::<io::Result<Bytes>>(QUEUE);
        let reading = tokio::spawn(async move { send_all(log, &sender).await.map(drop) });
        let mut client = writer(client).map_err(socket_error)?;
        while let Some(piece) = pieces.recv().await {
            client.write_all(&piece.map_err(socket_error)?).await.map_err(socket_error)?;
        }
        reading.await.unwrap_or(Ok(())).map_err(socket_error)
    }
}

/// A client's socket for writing, whatever kind of socket it is.
fn writer(client: &OwnedFd) -> io::Result<UnixStream> {
    let socket = StdUnixStream::from(client.try_clone()?);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn socket_error(source: io::Error) -> Error {
    Error::Io { what: "the client's", path: "socket".into(), source }
}
