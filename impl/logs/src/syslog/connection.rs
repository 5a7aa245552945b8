//! The connection to the server.

use super::address::{Address, Host};
use super::format::Format;
use crate::sender::Transport;
use crate::{Error, Stream};
use drydock_core::Timestamp;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the first connection may take; later ones are not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the local server listens.
const LOCAL: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// A connection to a syslog server.
#[derive(Debug)]
pub(super) struct Connection {
    target: Target,
    format: Format,
    socket: Socket,
    /// Bytes of the message that went out before the receiver would take no more; only of streams.
    sent: usize,
}

/// An address, as the kernel takes it.
#[derive(Debug)]
enum Target {
    Local(Vec<PathBuf>),
    Unix(PathBuf),
    Tcp(SocketAddr),
    Udp(SocketAddr),
}

#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    stream: bool,
}

impl Connection {
    pub(super) fn open(address: Address, format: Format) -> Result<Self, Error> {
        let numeric =
            |scheme, host: Host| host.numeric().ok_or_else(|| Error::Address { address: format!("{scheme}://{host}") });
        let target = match address {
            Address::Local => Target::Local(LOCAL.map(PathBuf::from).to_vec()),
            Address::Unix(path) => Target::Unix(path),
            Address::Tcp(host) => Target::Tcp(numeric("tcp", host)?),
            Address::Udp(host) => Target::Udp(numeric("udp", host)?),
        };
        Self::to(target, format)
    }

    fn to(target: Target, format: Format) -> Result<Self, Error> {
        let socket = match &target {
            // The only one that takes its time.
            Target::Tcp(address) => TcpStream::connect_timeout(address, PATIENCE).and_then(|stream| {
                stream.set_nonblocking(true)?;
                Ok(Socket { fd: stream.into(), stream: true })
            }),
            _ => target.connect(),
        };
        let socket = socket.map_err(|source| target.failed(source))?;
        Ok(Self { target, format, socket, sent: 0 })
    }

    /// To other places than the machine's own, for tests.
    #[cfg(test)]
    pub(super) fn to_local(paths: Vec<PathBuf>, format: Format) -> Result<Self, Error> {
        Self::to(Target::Local(paths), format)
    }
}

impl Target {
    fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Local(paths) => {
                let mut attempts = paths.iter().map(|path| unix(path, [SocketType::DGRAM, SocketType::STREAM]));
                attempts.find_map(Result::ok).ok_or(io::ErrorKind::NotFound.into())
            }
            Self::Unix(path) => unix(path, [SocketType::STREAM, SocketType::DGRAM]),
            Self::Tcp(address) => inet(*address, SocketType::STREAM),
            Self::Udp(address) => inet(*address, SocketType::DGRAM),
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        let (network, address) = match self {
            Self::Local(_) => return Error::NoSyslog,
            Self::Unix(path) => ("unix", path.display().to_string()),
            Self::Tcp(address) => ("tcp", address.to_string()),
            Self::Udp(address) => ("udp", address.to_string()),
        };
        Error::Dial { network, address, source }
    }
}

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// A server listens for datagrams or for streams; only trying tells.
fn unix(path: &Path, kinds: [SocketType; 2]) -> io::Result<Socket> {
    let address = SocketAddrUnix::new(path)?;
    let mut result = Err(Errno::PROTOTYPE);
    for kind in kinds {
        let fd = socket_with(AddressFamily::UNIX, kind, FLAGS, None)?;
        result = connect(&fd, &address).map(|()| Socket { fd, stream: kind == SocketType::STREAM });
        if !matches!(result, Err(Errno::PROTOTYPE)) {
            break;
        }
    }
    Ok(result?)
}

fn inet(address: SocketAddr, kind: SocketType) -> io::Result<Socket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, kind, FLAGS, None)?;
    match connect(&fd, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(Socket { fd, stream: kind == SocketType::STREAM }),
        Err(errno) => Err(errno.into()),
    }
}

impl Transport for Connection {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn message(&mut self, stream: Stream, line: &[u8], at: Timestamp) -> Vec<u8> {
        self.format.message(stream, line, at)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        while let Some(rest) = message.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send(&self.socket.fd, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(sent) if self.socket.stream => self.sent += sent,
                Ok(_) => break,
                Err(Errno::INTR) => {}
                // While a new connection is being made.
                Err(Errno::NOTCONN) if matches!(self.target, Target::Tcp(_)) => return Err(Errno::AGAIN.into()),
                Err(errno) => return Err(errno.into()),
            }
        }
        self.sent = 0;
        Ok(())
    }

    fn reconnect(&mut self) -> io::Result<()> {
        self.sent = 0;
        self.socket = self.target.connect()?;
        Ok(())
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.fd.as_fd()
    }
}
