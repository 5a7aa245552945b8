//! `logs`: what a container wrote, as far as its log driver kept it.

use crate::chores::blocking;
use crate::container::{Container, Phase};
use crate::streams::{ByteStream, Framing, PIECE, QUEUE};
use crate::{Engine, Error, Target};
use bytes::Bytes;
use drydock_core::Timestamp;
use drydock_logs::{Entry, LogConfig, Query, Reader, Stream, Watch};
use drydock_shim_protocol::Request;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

pub use drydock_logs::Tail;

/// Read a log.
#[derive(Clone, Debug)]
pub struct Logs {
    /// Of which.
    pub target: Target,
    /// Stdout's lines.
    pub stdout: bool,
    /// Stderr's lines.
    pub stderr: bool,
    /// Go on with what is written from now on, until the container's run ends.
    pub follow: bool,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// How many of the last lines.
    pub tail: Tail,
    /// Only lines since this time, Unix seconds; 0: all.
    pub since: i64,
}

/// A log on its way to a client.
#[derive(Debug)]
pub struct LogStream {
    /// How the bytes are to be read.
    pub framing: Framing,
    /// It waits for what is still to come: a log that is followed, of a container that runs.
    pub goes_on: bool,
    /// The bytes, framed: one frame per line (a line above 1 MiB in several).
    pub bytes: ByteStream,
}

impl Engine {
    /// Reads a log.
    ///
    /// # Errors
    /// `NoSuchContainer`…, `LogsUnreadable`.
    pub async fn logs(&self, command: Logs) -> Result<LogStream, Error> {
        let container = self.find(&command.target)?;
        let query = Query {
            stdout: command.stdout,
            stderr: command.stderr,
            tail: command.tail,
            since: Timestamp::from_unix(command.since, 0).filter(|_| command.since > 0),
            until: None,
        };
        let (config, framing, runs) = self.log_of(&container).await?;
        let reader = LogReader::open(&config, query, framing, command.timestamps)?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let exits = container.progress.borrow().exits;
        let watch = (command.follow && runs).then(|| Watch::new(&config).map_err(log_error)).transpose()?;
        let goes_on = watch.is_some();
        tokio::spawn(async move {
            let sent = match watch {
                None => send_all(reader, &sender).await.map(drop),
                Some(watch) => follow(reader, &sender, &watch, &container, exits).await,
            };
            if let Err(error) = sent {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(LogStream { framing, goes_on, bytes: ByteStream(receiver) })
    }

    /// A container's log, how it is framed, and whether the container runs. What it wrote until now is in it.
    pub(crate) async fn log_of(&self, container: &Container) -> Result<(LogConfig, Framing, bool), Error> {
        let body = container.lock().await?;
        let config = self.log_config(container.id, &body.definition);
        let framing = if body.definition.config.tty { Framing::Raw } else { Framing::Multiplexed };
        let shim = match &body.phase {
            Phase::Running(live) | Phase::Paused(live) => Some(Arc::clone(&live.shim)),
            _ => None,
        };
        drop(body);
        let runs = shim.is_some();
        if let Some(shim) = shim {
            // A shim that is gone has written all that it will.
            let _ = shim.ask(Request::SyncLog).await;
        }
        Ok((config, framing, runs))
    }
}

pub(crate) fn log_error(error: drydock_logs::Error) -> Error {
    match error {
        drydock_logs::Error::Unreadable(driver) => Error::LogsUnreadable(driver.to_owned()),
        drydock_logs::Error::UnknownDriver(driver) => Error::LogsUnreadable(driver),
        drydock_logs::Error::File { path, source } => Error::Io { what: "reading the log", path, source },
        error => Error::Io { what: "reading the log", path: "".into(), source: io::Error::other(error) },
    }
}

/// A log's lines as a client reads them.
pub(crate) struct LogReader {
    reader: Reader,
    framing: Framing,
    timestamps: bool,
}

impl LogReader {
    pub(crate) fn open(config: &LogConfig, query: Query, framing: Framing, timestamps: bool) -> Result<Self, Error> {
        let reader = drydock_logs::read(config, query).map_err(log_error)?;
        Ok(Self { reader, framing, timestamps })
    }

    /// About a piece of lines; empty at the end, for now.
    fn piece(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        while let Some(entry) = self.reader.next().map_err(io::Error::other)? {
            if piece.is_empty() {
                piece.reserve(PIECE);
            }
            push(&mut piece, &entry, self.framing, self.timestamps);
            if piece.len() >= PIECE {
                break;
            }
        }
        Ok(piece)
    }
}

fn push(piece: &mut Vec<u8>, entry: &Entry<'_>, framing: Framing, timestamps: bool) {
    let start = piece.len();
    if framing == Framing::Multiplexed {
        let stream = match entry.stream() {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        };
        piece.extend_from_slice(&[stream, 0, 0, 0, 0, 0, 0, 0]);
    }
    let payload = piece.len();
    if timestamps && entry.begins_line() {
        entry.push_time(piece);
        piece.push(b' ');
    }
    entry.push_text(piece);
    if framing == Framing::Multiplexed {
        let length = u32::try_from(piece.len() - payload).unwrap_or(u32::MAX);
        piece[start + 4..payload].copy_from_slice(&length.to_be_bytes());
    }
}

/// Sends what there is; gives the reader back for more. Reads on a thread that may block, and waits for a slow client
/// on none.
pub(crate) async fn send_all(mut log: LogReader, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<LogReader> {
    loop {
        let piece;
        (log, piece) = blocking(move || {
            let piece = log.piece();
            (log, piece)
        })
        .await;
        let piece = piece?;
        if piece.is_empty() || to.send(Ok(piece.into())).await.is_err() {
            return Ok(log);
        }
    }
}

/// Sends what there is and what comes, until the run is over or the client leaves.
async fn follow(
    mut log: LogReader,
    to: &mpsc::Sender<io::Result<Bytes>>,
    watch: &Watch,
    container: &Container,
    exits: u64,
) -> io::Result<()> {
    // Only for readiness: inotify is no socket, but an epoll does not mind.
    let readiness = UnixStream::from_std(StdUnixStream::from(watch.as_fd().try_clone_to_owned()?))?;
    let mut progress = container.progress.subscribe();
    loop {
        let over = {
            let progress = progress.borrow_and_update();
            progress.exits > exits || progress.gone
        };
        watch.drain().map_err(io::Error::other)?;
        let _ = readiness.try_io(Interest::READABLE, || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) });
        log = send_all(log, to).await?;
        if over || to.is_closed() {
            return Ok(());
        }
        tokio::select! {
            ready = readiness.readable() => ready?,
            changed = progress.changed() => if changed.is_err() { return Ok(()) },
            () = to.closed() => return Ok(()),
        }
    }
}
