//! A client that costs as little as possible, so that what is measured is the daemon.
//!
//! One kept connection, blocking, no validation beyond what framing needs: the suite's own client is for judging.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Where a daemon listens: `unix:///path` or `tcp://host:port`.
#[derive(Clone, Debug)]
pub(crate) struct Address(String);

impl Address {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn connect(&self) -> Result<Connection> {
        let stream = match self.0.strip_prefix("unix://") {
            Some(path) => Stream::Unix(UnixStream::connect(path).with_context(|| format!("connecting to {path}"))?),
            None => {
                let host = self.0.strip_prefix("tcp://").context("an address is unix:///PATH or tcp://HOST:PORT")?;
                let stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        };
        stream.set_timeout(Duration::from_secs(120))?;
        Ok(Connection { reader: BufReader::with_capacity(64 * 1024, stream) })
    }
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn set_timeout(&self, time: Duration) -> io::Result<()> {
        match self {
            Stream::Unix(stream) => stream.set_read_timeout(Some(time)),
            Stream::Tcp(stream) => stream.set_read_timeout(Some(time)),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.read(buffer),
            Stream::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Unix(stream) => stream.write(bytes),
            Stream::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    reader: BufReader<Stream>,
}

/// A response's head.
struct Head {
    status: u16,
    length: Option<usize>,
    chunked: bool,
}

impl Connection {
    /// A request whose answer is read whole. An error status is an error, with its text.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Vec<u8>> {
        let mut answer = Vec::new();
        self.call_into(method, path, "application/json", body, &mut answer)?;
        Ok(answer)
    }

    /// The same with the answer's body written to `sink`; gives its length.
    pub(crate) fn call_into(
        &mut self,
        method: &str,
        path: &str,
        content: &str,
        body: Option<&[u8]>,
        sink: &mut impl Write,
    ) -> Result<u64> {
        self.send(method, path, content, body)?;
        let head = self.head()?;
        if head.status >= 400 {
            let mut text = Vec::new();
            self.body(&head, &mut text)?;
            bail!("{method} {path}: {} {}", head.status, String::from_utf8_lossy(&text).trim());
        }
        self.body(&head, sink)
    }

    /// A request whose connection is taken over; what follows is read and written raw.
    pub(crate) fn hijack(mut self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Self> {
        self.send(method, path, "application/json", body)?;
        let head = self.head()?;
        if head.status >= 400 {
            bail!("{method} {path}: {}", head.status);
        }
        Ok(self)
    }

    /// A request whose answer is read by hand, up to its head.
    pub(crate) fn open(&mut self, method: &str, path: &str) -> Result<()> {
        self.send(method, path, "application/json", None)?;
        let head = self.head()?;
        if head.status >= 400 { bail!("{method} {path}: {}", head.status) } else { Ok(()) }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Closes the write side.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        match self.reader.get_ref() {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn send(&mut self, method: &str, path: &str, content: &str, body: Option<&[u8]>) -> Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n");
        if let Some(body) = body {
            head += &format!("Content-Type: {content}\r\nContent-Length: {}\r\n", body.len());
        } else if method == "POST" {
            head += "Content-Length: 0\r\n";
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        match body {
            Some(body) if body.len() < 64 * 1024 => {
                bytes.extend_from_slice(body);
                self.write_all(&bytes)?;
            }
            Some(body) => {
                self.write_all(&bytes)?;
                self.write_all(body)?;
            }
            None => self.write_all(&bytes)?,
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                bail!("the daemon closed the connection without an answer");
            }
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .with_context(|| format!("no status line: {line:?}"))?;
            let mut head = Head { status, length: None, chunked: false };
            loop {
                line.clear();
                if self.reader.read_line(&mut line)? == 0 {
                    bail!("the daemon closed the connection within a head");
                }
                let Some((name, value)) = line.trim_end().split_once(':') else { break };
                if name.eq_ignore_ascii_case("content-length") {
                    head.length = value.trim().parse().ok();
                } else if name.eq_ignore_ascii_case("transfer-encoding") {
                    head.chunked = value.trim().eq_ignore_ascii_case("chunked");
                }
            }
            if head.status != 100 {
                return Ok(head);
            }
        }
    }

    fn body(&mut self, head: &Head, sink: &mut impl Write) -> Result<u64> {
        if matches!(head.status, 204 | 304) {
            return Ok(0);
        }
        if !head.chunked {
            return match head.length {
                Some(length) => Ok(io::copy(&mut (&mut self.reader).take(length as u64), sink)?),
                None => Ok(io::copy(&mut self.reader, sink)?),
            };
        }
        let mut total = 0;
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim_end(), 16).with_context(|| format!("no chunk size: {line:?}"))?;
            total += io::copy(&mut (&mut self.reader).take(size), sink)?;
            self.reader.read_line(&mut line)?;
            if size == 0 {
                return Ok(total);
            }
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl BufRead for Connection {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}
