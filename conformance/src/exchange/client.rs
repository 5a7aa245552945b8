//! A blocking HTTP/1 client that keeps what other clients hide: order, chunks, endings, bytes after the head.

use std::{
    fmt, io,
    io::{Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    path::PathBuf,
    str::FromStr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{
    Exchange, Origin,
    request::{Input, Request, RequestBody},
    response::{End, NoAnswer},
    websocket,
    wire::Reader,
};

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

/// The text is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: unix:///path/to.sock or tcp://host:port")]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match (text.strip_prefix("unix://"), text.strip_prefix("tcp://")) {
            (Some(path), _) if path.starts_with('/') => Ok(Address::Unix(path.into())),
            (_, Some(host)) if host.contains(':') => Ok(Address::Tcp(host.trim_end_matches('/').to_owned())),
            _ => Err(BadAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Tcp(host) => write!(f, "tcp://{host}"),
        }
    }
}

/// How long and how much a client waits for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// From the first byte sent to the end of the answer; then the client leaves.
    pub total: Duration,
    /// The most bytes of body; then the client leaves.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), total: Duration::from_secs(30), body: 64 << 20 }
    }
}

impl Limits {
    /// These limits with another total time.
    pub fn within(self, total: Duration) -> Self {
        Self { total, ..self }
    }
}

/// Makes exchanges with the daemon at an address, each on a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    limits: Limits,
}

impl Client {
    /// A client of the daemon at `address`.
    pub fn new(address: Address, limits: Limits) -> Self {
        Self { address, limits }
    }

    /// Where it connects.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request and reads its answer to the end.
    pub fn send(&self, request: Request) -> Exchange {
        self.send_within(request, self.limits)
    }

    /// Sends a request and reads its answer within these limits.
    pub fn send_within(&self, request: Request, limits: Limits) -> Exchange {
        Conversation::open(&self.address, request, limits).finish()
    }

    /// Sends a request and leaves the answer to be read step by step.
    pub fn open(&self, request: Request, limits: Limits) -> Conversation {
        Conversation::open(&self.address, request, limits)
    }
}

/// An exchange that is under way.
pub struct Conversation {
    request: Request,
    reader: Reader,
    begun: Instant,
    deadline: Instant,
    link: Result<Link, NoAnswer>,
    /// How the connection ended, once it has.
    ended: Option<End>,
}

/// The connection: what comes is read by a thread of its own, so that sending never stops receiving.
struct Link {
    socket: Socket,
    incoming: mpsc::Receiver<io::Result<Vec<u8>>>,
}

impl Conversation {
    fn open(address: &Address, request: Request, limits: Limits) -> Self {
        let begun = Instant::now();
        let reader = Reader::new(&request.method, limits.body);
        let link = Link::open(address, &request, limits);
        Self { request, reader, begun, deadline: begun + limits.total, link, ended: None }
    }

    /// Reads until the head is there. False if it does not come.
    pub fn await_head(&mut self) -> bool {
        self.read_until(Reader::has_head)
    }

    /// Reads until the body so far satisfies `enough`. False if the answer ends or time is up before.
    pub fn await_body(&mut self, mut enough: impl FnMut(&[u8]) -> bool) -> bool {
        self.read_until(|reader| enough(reader.body()))
    }

    /// The body so far.
    pub fn body(&self) -> &[u8] {
        self.reader.body()
    }

    /// Sends bytes on the hijacked connection. That the daemon has closed it shows when its end is read.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Ok(link) = &mut self.link {
            let _ = link.socket.write_all(bytes);
        }
    }

    /// Shuts the write side.
    pub fn half_close(&mut self) {
        if let Ok(link) = &self.link {
            link.socket.shutdown(Shutdown::Write);
        }
    }

    /// Moves the deadline: the answer may take until so long from now.
    pub fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// Does what the request says about stdin, reads to the end, and closes.
    pub fn finish(mut self) -> Exchange {
        let inputs = self.request.stdin.clone();
        if !inputs.is_empty() && self.await_head() {
            let framed = self.request.header_value("Upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
            for input in inputs {
                match input {
                    Input::Bytes(bytes) if framed => self.write(&websocket::encode(websocket::TEXT, &bytes)),
                    Input::Bytes(bytes) => self.write(&bytes),
                    Input::Pause(time) => thread::sleep(time),
                    Input::HalfClose if framed => {
                        self.write(&websocket::encode(websocket::CLOSE, &1000_u16.to_be_bytes()))
                    }
                    Input::HalfClose => self.half_close(),
                }
            }
        }
        self.read_until(|_| false);
        let took = self.begun.elapsed();
        let answer = match self.link {
            Ok(link) => {
                link.socket.shutdown(Shutdown::Both);
                self.reader.finish(self.ended.unwrap_or(End::Timeout))
            }
            Err(error) => Err(error),
        };
        Exchange { origin: Origin::Live, request: self.request, answer, took }
    }

    fn read_until(&mut self, mut enough: impl FnMut(&Reader) -> bool) -> bool {
        loop {
            if enough(&self.reader) {
                return true;
            }
            let Ok(link) = &self.link else { return false };
            if self.reader.is_done() || self.ended.is_some() {
                return false;
            }
            match link.incoming.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(bytes)) => self.reader.feed(&bytes),
                Ok(Err(_)) | Err(mpsc::RecvTimeoutError::Disconnected) => self.ended = Some(End::Eof),
                Err(mpsc::RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

impl Link {
    fn open(address: &Address, request: &Request, limits: Limits) -> Result<Self, NoAnswer> {
        if let RequestBody::Described { label, .. } = &request.body {
            return Err(NoAnswer::NotAsked(format!("the body {label:?} is known by its label only")));
        }
        let socket = Socket::connect(address, limits.connect).map_err(|error| NoAnswer::Connect(error.to_string()))?;
        let broken = |error: io::Error| NoAnswer::Broken(error.to_string());
        let mut reading = socket.try_clone().map_err(broken)?;
        let mut writing = socket.try_clone().map_err(broken)?;
        socket.set_write_timeout(limits.total).map_err(broken)?;
        // Bounded, so that a daemon that floods us is slowed by its own socket.
        let (sender, incoming) = mpsc::sync_channel(16);
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let read = match reading.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => Ok(buffer[..count].to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = read.is_err();
                if sender.send(read).is_err() || failed {
                    break;
                }
            }
        });
        // A daemon may answer, and close, before it has read a large body: what it says still counts.
        let wire = request.to_wire();
        if wire.len() > 64 << 10 {
            thread::spawn(move || writing.write_all(&wire));
        } else {
            let _ = writing.write_all(&wire);
        }
        Ok(Self { socket, incoming })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket.shutdown(Shutdown::Both);
    }
}

enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Socket {
    fn connect(address: &Address, timeout: Duration) -> io::Result<Self> {
        match address {
            Address::Unix(path) => UnixStream::connect(path).map(Socket::Unix),
            Address::Tcp(host) => {
                let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
                for address in host.to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, timeout) {
                        Ok(stream) => return Ok(Socket::Tcp(stream)),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Socket::Unix(stream) => stream.try_clone().map(Socket::Unix),
            Socket::Tcp(stream) => stream.try_clone().map(Socket::Tcp),
        }
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Socket::Unix(stream) => stream.set_write_timeout(Some(timeout)),
            Socket::Tcp(stream) => stream.set_write_timeout(Some(timeout)),
        }
    }

    /// A connection that the other side has closed cannot be shut any more, which is as good.
    fn shutdown(&self, how: Shutdown) {
        let _ = match self {
            Socket::Unix(stream) => stream.shutdown(how),
            Socket::Tcp(stream) => stream.shutdown(how),
        };
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => stream.read(buffer),
            Socket::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Unix(stream) => stream.write(bytes),
            Socket::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A daemon that reads one head, says `answer`, and closes; or waits for the client to leave.
    fn daemon(answer: &'static [u8], close: bool) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap().to_string());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 1024];
            while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
                    _ => return,
                }
            }
            let _ = stream.write_all(answer);
            if !close {
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    let _ = stream.write_all(b"echo");
                }
                let _ = stream.write_all(b"end");
            }
        });
        Client::new(address, Limits { total: Duration::from_millis(300), ..Limits::default() })
    }

    #[test]
    fn a_daemon_that_says_nothing_is_left() {
        assert_eq!(daemon(b"", false).send(Request::new("GET", "/")).answer, Err(NoAnswer::Timeout));
    }

    #[test]
    fn a_daemon_that_closes_is_told_from_one_that_hangs() {
        assert_eq!(daemon(b"", true).send(Request::new("GET", "/")).answer, Err(NoAnswer::Closed));
        assert_eq!(
            daemon(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true)
                .send(Request::new("GET", "/"))
                .answer
                .unwrap()
                .end,
            End::Short
        );
    }

    #[test]
    fn nobody_there_is_said_so() {
        let client = Client::new(Address::Unix("/nonexistent/socket".into()), Limits::default());
        assert!(matches!(client.send(Request::new("GET", "/")).answer, Err(NoAnswer::Connect(_))));
    }

    #[test]
    fn after_the_half_close_the_rest_is_still_read() {
        let request = Request::new("POST", "/").stdin([
            Input::Bytes(b"hi".to_vec()),
            Input::Pause(Duration::from_millis(50)),
            Input::HalfClose,
        ]);
        let exchange = daemon(b"HTTP/1.1 200 OK\r\n\r\n", false).send(request);
        assert_eq!(exchange.answer.unwrap().text(), "echoend");
    }

    #[test]
    fn an_address_has_a_scheme() {
        assert_eq!("unix:///run/x.sock".parse(), Ok(Address::Unix("/run/x.sock".into())));
        assert_eq!("tcp://127.0.0.1:1".parse(), Ok(Address::Tcp("127.0.0.1:1".into())));
        for text in ["", "/run/x.sock", "unix://relative", "tcp://host", "http://x:1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
