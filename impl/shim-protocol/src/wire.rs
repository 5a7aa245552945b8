//! Messages on a socket.
//!
//! ```text
//! 4 bytes  length of the JSON      (big endian)
//! 4 bytes  length of the blob      (big endian; bytes of clients that would be clumsy in JSON)
//! JSON, then blob
//! ```
//! Descriptors travel as `SCM_RIGHTS` with the message's first byte. The kernel keeps them in order, and never hands
//! over more than one message's in one read, so they queue up until their message is read.

use crate::{Message, Request, message::Numbered};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

/// Longest message, JSON and blob together: more is an error, since nothing sensible is that long.
pub const MAX_MESSAGE: usize = 16 << 20;

const HEADER: usize = 8;
const READ: usize = 16 << 10;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum WireError {
    #[error("a message of {0} bytes")]
    TooLong(usize),
    #[error("not the JSON of a message")]
    Json(#[from] serde_json::Error),
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

    /// The next shim's message, if all of it is here.
    ///
    /// # Errors
    /// When the bytes are no message; the connection is of no more use then.
    pub fn message(&mut self) -> Result<Option<Envelope<Message>>, WireError> {
        self.next()
    }

    /// The next request and its serial, if all of it is here.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub fn request(&mut self) -> Result<Option<(u64, Envelope<Request>)>, WireError> {
        Ok(self.next::<Numbered>()?.map(|Envelope { message, blob }| {
            let Numbered { serial, request } = message;
            (serial, Envelope { message: request, blob })
        }))
    }

    /// The oldest descriptor that no message took yet.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }

    fn next<T: DeserializeOwned>(&mut self) -> Result<Option<Envelope<T>>, WireError> {
        let bytes = &self.bytes[self.start..];
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h] = *header;
        let json = u32::from_be_bytes([a, b, c, d]) as usize;
        let whole = json.saturating_add(u32::from_be_bytes([e, f, g, h]) as usize);
        if whole > MAX_MESSAGE {
            return Err(WireError::TooLong(whole));
        }
        let Some((json, blob)) = rest.get(..whole).map(|whole| whole.split_at(json)) else { return Ok(None) };
        let envelope = Envelope { message: serde_json::from_slice(json)?, blob: blob.to_vec() };
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
        bytes[4..HEADER].copy_from_slice(&(blob.len() as u32).to_be_bytes());
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
                let client = UnixStream::from(inbox.take_descriptor().unwrap());
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
        io::Write::write_all(&mut &ours, &[0xff; 8]).unwrap();
        let mut inbox = Inbox::default();
        assert!(inbox.fill(&theirs).unwrap());
        assert!(matches!(inbox.message(), Err(WireError::TooLong(_))));
        drop(ours);
        assert!(!inbox.fill(&theirs).unwrap());
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
