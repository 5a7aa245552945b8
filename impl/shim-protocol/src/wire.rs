//! Messages on a socket.
//!
//! ```text
//! 4 bytes  length of the JSON
//! 4 bytes  length of the blob: bytes of clients that would be clumsy in JSON
//! 4 bytes  number of descriptors, 0 or 1
//! JSON, then blob
//! ```
//! Numbers are big endian. Descriptors travel as `SCM_RIGHTS` with the message's first byte; the kernel keeps their
//! order, so they queue up here until their message is read. A message that is JSON but makes no sense to us is of a
//! newer release: it is told apart from noise, and the connection goes on.

use crate::{Message, Request, message::Numbered};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// Longest message, JSON and blob together: more is an error, since nothing sensible is that long.
pub const MAX_MESSAGE: usize = 16 << 20;

const HEADER: usize = 12;
const READ: usize = 16 << 10;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum WireError {
    #[error("a message of {0} bytes")]
    TooLong(usize),
    #[error("not the JSON of a message")]
    Json(#[from] serde_json::Error),
    #[error("request {serial} is unknown here: {reason}")]
    UnknownRequest { serial: u64, reason: String },
    #[error("a descriptor that did not come")]
    NoDescriptor,
    #[error("the socket")]
    Io(#[from] io::Error),
}

/// A message with what came beside it.
#[derive(Debug)]
pub struct Envelope<T> {
    /// The message.
    pub message: T,
    /// Its blob.
    pub blob: Vec<u8>,
    /// Its descriptor.
    pub descriptor: Option<OwnedFd>,
}

/// What was received and not yet understood.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    descriptors: VecDeque<OwnedFd>,
}

impl Inbox {
    /// One `recvmsg` on the socket. `false`: the peer is gone.
    ///
    /// # Errors
    /// `WouldBlock` when a non-blocking socket has nothing; what the kernel says.
    pub fn fill(&mut self, socket: impl AsFd) -> io::Result<bool> {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        let filled = self.bytes.len();
        self.bytes.resize(filled + READ, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            let mut parts = [IoSliceMut::new(&mut self.bytes[filled..])];
            recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let count = received.as_ref().map_or(0, |message| message.bytes);
        self.bytes.truncate(filled + count);
        received?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        Ok(count > 0)
    }

    /// The next shim's message, if all of it is here. Those that only a newer daemon understands are left out.
    ///
    /// # Errors
    /// When the bytes are no messages; the connection is of no more use then.
    pub fn message(&mut self) -> Result<Option<Envelope<Message>>, WireError> {
        while let Some(raw) = self.next()? {
            match serde_json::from_slice(&raw.message) {
                Ok(message) => return Ok(Some(Envelope { message, blob: raw.blob, descriptor: raw.descriptor })),
                Err(error) if error.is_data() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The next request and its serial, if all of it is here.
    ///
    /// # Errors
    /// `UnknownRequest`, which only a newer shim understands: refuse it and go on. All others: as [`Self::message`].
    pub fn request(&mut self) -> Result<Option<(u64, Envelope<Request>)>, WireError> {
        #[derive(Deserialize)]
        struct Serial {
            serial: u64,
        }
        let Some(raw) = self.next()? else { return Ok(None) };
        match serde_json::from_slice(&raw.message) {
            Ok(Numbered { serial, request }) => {
                Ok(Some((serial, Envelope { message: request, blob: raw.blob, descriptor: raw.descriptor })))
            }
            Err(error) => {
                let Serial { serial } = serde_json::from_slice(&raw.message)?;
                Err(WireError::UnknownRequest { serial, reason: error.to_string() })
            }
        }
    }

    fn next(&mut self) -> Result<Option<Envelope<Vec<u8>>>, WireError> {
        let bytes = &self.bytes[self.start..];
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let json = number(0) as usize;
        let whole = json.saturating_add(number(4) as usize);
        if whole > MAX_MESSAGE {
            return Err(WireError::TooLong(whole));
        }
        let Some((json, blob)) = rest.get(..whole).map(|whole| whole.split_at(json)) else { return Ok(None) };
        let descriptor = match number(8) {
            0 => None,
            _ => Some(self.descriptors.pop_front().ok_or(WireError::NoDescriptor)?),
        };
        let envelope = Envelope { message: json.to_vec(), blob: blob.to_vec(), descriptor };
        self.start += HEADER + whole;
        Ok(Some(envelope))
    }
}

/// What is to be sent.
#[derive(Debug, Default)]
pub struct Outbox(VecDeque<Outgoing>);

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    descriptor: Option<OwnedFd>,
}

impl Outbox {
    /// Queues a request, with its blob and the descriptor that it takes.
    ///
    /// # Errors
    /// `TooLong`, and `Json` for a path that is not UTF-8.
    pub fn request(
        &mut self,
        serial: u64,
        request: Request,
        blob: &[u8],
        descriptor: Option<OwnedFd>,
    ) -> Result<(), WireError> {
        self.push(&Numbered { serial, request }, blob, descriptor)
    }

    /// Queues a shim's message.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn message(&mut self, message: &Message) -> Result<(), WireError> {
        self.push(message, &[], None)
    }

    /// Whether all was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes waiting, so that a peer who does not read can be let go.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.iter().map(|out| out.bytes.len() - out.sent).sum()
    }

    /// Sends until all is sent or the socket takes no more.
    ///
    /// # Errors
    /// `WouldBlock` when a non-blocking socket takes no more; what the kernel says.
    pub fn flush(&mut self, socket: impl AsFd) -> io::Result<()> {
        while let Some(out) = self.0.front_mut() {
            let sent = retry_on_intr(|| out.send(&socket))?;
            out.descriptor = None;
            out.sent += sent;
            if out.sent == out.bytes.len() {
                self.0.pop_front();
            }
        }
        Ok(())
    }

    fn push<T: Serialize>(&mut self, message: &T, blob: &[u8], descriptor: Option<OwnedFd>) -> Result<(), WireError> {
        let mut bytes = vec![0; HEADER];
        serde_json::to_writer(&mut bytes, message)?;
        let json = bytes.len() - HEADER;
        if json + blob.len() > MAX_MESSAGE {
            return Err(WireError::TooLong(json + blob.len()));
        }
        bytes[..4].copy_from_slice(&(json as u32).to_be_bytes());
        bytes[4..8].copy_from_slice(&(blob.len() as u32).to_be_bytes());
        bytes[8..HEADER].copy_from_slice(&u32::from(descriptor.is_some()).to_be_bytes());
        bytes.extend_from_slice(blob);
        self.0.push_back(Outgoing { bytes, sent: 0, descriptor });
        Ok(())
    }
}

impl Outgoing {
    fn send(&self, socket: impl AsFd) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptor = self.descriptor.as_ref().map(|descriptor| [descriptor.as_fd()]);
        if let Some(descriptor) = &descriptor {
            control.push(SendAncillaryMessage::ScmRights(descriptor));
        }
        sendmsg(socket, &[IoSlice::new(&self.bytes[self.sent..])], &mut control, SendFlags::NOSIGNAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attach, Event, Framing, InputEnd, Process, Streams};
    use proptest::prelude::*;
    use std::os::unix::net::UnixStream;

    fn attach() -> Request {
        Request::Attach(Attach {
            process: Process::Init,
            streams: Streams { stdin: true, ..Streams::default() },
            framing: Framing::Raw,
            input_end: InputEnd::Close,
            hold: false,
            detach_keys: vec![16, 17],
        })
    }

    proptest! {
        #[test]
        fn requests_cut_anywhere_read_back_with_their_blobs(
            blobs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
            cuts in prop::collection::vec(1_usize..64, 1..20),
        ) {
            let mut outbox = Outbox::default();
            for (serial, blob) in blobs.iter().enumerate() {
                outbox.request(serial as u64, attach(), blob, None).unwrap();
            }
            let all: Vec<u8> = outbox.0.iter().flat_map(|out| out.bytes.clone()).collect();
            let mut inbox = Inbox::default();
            let mut read = Vec::new();
            let mut rest = &all[..];
            for cut in cuts.iter().cycle() {
                let (piece, more) = rest.split_at(rest.len().min(*cut));
                inbox.bytes.extend_from_slice(piece);
                while let Some((serial, envelope)) = inbox.request().unwrap() {
                    prop_assert_eq!(serial, read.len() as u64);
                    read.push(envelope.blob);
                }
                rest = more;
                if rest.is_empty() { break }
            }
            prop_assert_eq!(read, blobs);
        }
    }

    #[test]
    fn each_descriptor_arrives_with_its_own_message() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut outbox = Outbox::default();
        let mut kept = Vec::new();
        for serial in 0..3 {
            let (client, peer) = UnixStream::pair().unwrap();
            outbox.request(serial, attach(), b"typed", Some(client.into())).unwrap();
            kept.push(peer);
        }
        outbox.flush(&ours).unwrap();
        assert!(outbox.is_empty());
        let mut inbox = Inbox::default();
        let mut serials = 0;
        while serials < 3 {
            if let Some((serial, envelope)) = inbox.request().unwrap() {
                assert_eq!((serial, &envelope.blob[..]), (serials, &b"typed"[..]));
                let client = UnixStream::from(envelope.descriptor.unwrap());
                io::Write::write_all(&mut &client, &[serial as u8]).unwrap();
                serials += 1;
            } else {
                assert!(inbox.fill(&theirs).unwrap());
            }
        }
        for (serial, peer) in kept.iter().enumerate() {
            let mut byte = [9];
            io::Read::read_exact(&mut &*peer, &mut byte).unwrap();
            assert_eq!(usize::from(byte[0]), serial);
        }
    }

    #[test]
    fn a_length_that_makes_no_sense_is_an_error_and_a_peer_that_left_is_an_end() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        io::Write::write_all(&mut &ours, &[0xff; HEADER]).unwrap();
        let mut inbox = Inbox::default();
        assert!(inbox.fill(&theirs).unwrap());
        assert!(matches!(inbox.message(), Err(WireError::TooLong(_))));
        drop(ours);
        assert!(!inbox.fill(&theirs).unwrap());
    }

    #[test]
    fn words_of_a_newer_release_do_not_break_the_connection() {
        #[derive(Serialize)]
        struct Newer {
            serial: u64,
            request: std::collections::BTreeMap<&'static str, u32>,
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (client, _) = UnixStream::pair().unwrap();
        let mut outbox = Outbox::default();
        let newer = Newer { serial: 7, request: [("Levitate", 3)].into() };
        outbox.push(&newer, b"", Some(client.into())).unwrap();
        outbox.request(8, Request::Status, b"", None).unwrap();
        outbox.flush(&ours).unwrap();
        let mut inbox = Inbox::default();
        while inbox.bytes.len() < 80 {
            assert!(inbox.fill(&theirs).unwrap());
        }
        assert!(matches!(inbox.request(), Err(WireError::UnknownRequest { serial: 7, .. })));
        let (serial, envelope) = inbox.request().unwrap().unwrap();
        assert_eq!((serial, envelope.message), (8, Request::Status));
        assert!(envelope.descriptor.is_none(), "the unknown request's descriptor went with it");

        let mut outbox = Outbox::default();
        outbox.push(&newer, b"", None).unwrap();
        let event = Message::Event(Event::StreamEnded { stream: 7 });
        outbox.message(&event).unwrap();
        outbox.flush(&ours).unwrap();
        assert!(inbox.fill(&theirs).unwrap());
        assert_eq!(inbox.message().unwrap().unwrap().message, event);
    }

    #[test]
    fn a_full_socket_keeps_the_rest_for_later() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut outbox = Outbox::default();
        let event = Message::Event(Event::StreamEnded { stream: 7 });
        while outbox.flush(&ours).is_ok() {
            outbox.message(&event).unwrap();
        }
        assert!(outbox.waiting() > 0);
        let mut inbox = Inbox::default();
        while !outbox.is_empty() {
            inbox.fill(&theirs).unwrap();
            while let Some(envelope) = inbox.message().unwrap() {
                assert_eq!(envelope.message, event);
            }
            let _ = outbox.flush(&ours);
        }
    }
}
