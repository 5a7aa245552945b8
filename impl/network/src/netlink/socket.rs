//! A netlink socket.

use super::message::{HEADER, Message, Received, messages};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// A connection to the kernel's network of one namespace. Requests of several threads go one after the other.
#[derive(Debug)]
pub(crate) struct Socket(Mutex<Connection>);

#[derive(Debug)]
struct Connection {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// To the namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        connect(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // The kernel answers while it takes the request; a wait can only mean a lost answer.
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(10, 0))?;
        Ok(Self(Mutex::new(Connection { fd, sequence: 0, buffer: Vec::new() })))
    }

    /// Does all of it, in order. Every message is tried, also behind one that failed; the first failure is told.
    pub(crate) fn request(&self, batch: impl IntoIterator<Item = Message>) -> io::Result<()> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = connection.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        for message in batch {
            connection.sequence = connection.sequence.wrapping_add(1);
            bytes.extend(message.finish(connection.sequence, libc::NLM_F_REQUEST | libc::NLM_F_ACK));
        }
        connection.send(&bytes)?;
        let count = connection.sequence.wrapping_sub(first).wrapping_add(1);
        let (mut answered, mut failed) = (0, None);
        while answered < count {
            for message in connection.receive()? {
                if message.kind != libc::NLMSG_ERROR as u16 || message.sequence.wrapping_sub(first) >= count {
                    continue;
                }
                answered += 1;
                if let Err(error) = errno(message) {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Asks, and gives each message of the answer to `each`: kind and body.
    pub(crate) fn ask(&self, question: Message, dump: bool, mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connection.sequence = connection.sequence.wrapping_add(1);
        let sequence = connection.sequence;
        let flags = if dump { libc::NLM_F_DUMP } else { 0 };
        let bytes = question.finish(sequence, libc::NLM_F_REQUEST | flags);
        connection.send(&bytes)?;
        loop {
            for message in connection.receive()? {
                match i32::from(message.kind) {
                    _ if message.sequence != sequence => {}
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => return errno(message),
                    _ => {
                        each(message.kind, message.body);
                        if !dump {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}

impl Connection {
    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match send(self.fd.as_raw_fd(), bytes, MsgFlags::empty())? {
            sent if sent == bytes.len() => Ok(()),
            _ => Err(Errno::EMSGSIZE.into()),
        }
    }

    /// One datagram.
    fn receive(&mut self) -> io::Result<impl Iterator<Item = Received<'_>>> {
        // What the kernel takes at most for a dump's datagram.
        self.buffer.resize(32 << 10, 0);
        let len = loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(len) if len < HEADER => return Err(Errno::EPROTO.into()),
                Ok(len) => break len,
            }
        };
        Ok(messages(&self.buffer[..len]))
    }
}

fn errno(message: Received<'_>) -> io::Result<()> {
    let code = super::message::u32_at(message.body, 0).unwrap_or(0) as i32;
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) }
}
