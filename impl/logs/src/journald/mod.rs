//! `journald`: each line an entry of the systemd journal, by its native protocol.
//!
//! Fields: `PRIORITY` (6 for stdout, 3 for stderr), `MESSAGE`, `CONTAINER_ID` (12 digits), `CONTAINER_ID_FULL`,
//! `CONTAINER_NAME` (as it was at the start). An entry that no datagram holds goes as a sealed memory file. Source:
//! recording `daemon/log-driver-journald`; the documents' page on the driver.

use crate::sender::{Sender, Transport};
use crate::{Driver, Error, LogConfig, Stream, Writer};
use drydock_core::Timestamp;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, send, sendmsg, socket_with,
};
use std::fs::File;
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub(crate) struct Journald;

/// Longer lines are cut: an unfinished one is held in memory.
const LONGEST: usize = 256 << 10;
const SOCKET: &str = "/run/systemd/journal/socket";

impl Driver for Journald {
    fn name(&self) -> &'static str {
        "journald"
    }

    fn open(&self, config: &LogConfig) -> Result<Box<dyn Writer>, Error> {
        open(Path::new(SOCKET), config)
    }
}

fn open(socket: &Path, config: &LogConfig) -> Result<Box<dyn Writer>, Error> {
    // A name with a newline would be a field of its own.
    let name: String = config.container_name.chars().filter(|c| *c != '\n').collect();
    let fields = format!(
        "\nCONTAINER_ID={}\nCONTAINER_ID_FULL={}\nCONTAINER_NAME={name}\n",
        config.short_id(),
        config.container_id
    );
    let mut journal =
        Journal { path: socket.to_owned(), socket: datagram_socket().map_err(|_| Error::NoJournal)?, fields };
    journal.reconnect().map_err(|_| Error::NoJournal)?;
    Ok(Box::new(Sender::new(journal, LONGEST)))
}

#[derive(Debug)]
struct Journal {
    path: PathBuf,
    socket: OwnedFd,
    /// Those behind the message's.
    fields: String,
}

fn datagram_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?)
}

impl Transport for Journal {
    fn name(&self) -> &'static str {
        Journald.name()
    }

    fn message(&mut self, stream: Stream, line: &[u8], _: Timestamp) -> Vec<u8> {
        let priority = if stream == Stream::Stderr { b"PRIORITY=3\nMESSAGE=" } else { b"PRIORITY=6\nMESSAGE=" };
        [priority.as_slice(), line, self.fields.as_bytes()].concat()
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            return match send(&self.socket, message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(_) => Ok(()),
                Err(Errno::INTR) => continue,
                Err(Errno::MSGSIZE | Errno::NOBUFS) => send_file(self.socket.as_fd(), message),
                Err(errno) => Err(errno.into()),
            };
        }
    }

    fn reconnect(&mut self) -> io::Result<()> {
        self.socket = datagram_socket()?;
        Ok(connect(&self.socket, &SocketAddrUnix::new(&self.path)?)?)
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The journal reads only files that can no longer change.
fn send_file(socket: BorrowedFd<'_>, message: &[u8]) -> io::Result<()> {
    let file = File::from(memfd_create("journal-entry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    (&file).write_all(message)?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut descriptors = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    if !descriptors.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(Errno::NOBUFS.into());
    }
    sendmsg(socket, &[], &mut descriptors, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    Ok(())
}

#[cfg(test)]
mod tests;
