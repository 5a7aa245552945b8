use super::*;
use crate::error::Error;
use crate::suite::{Bench, at, log_driver_suite, write_all};
use crate::{Flushed, Stream, open, prepare};
use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A server of the local machine, at a place of its own.
struct LocalServer {
    directory: tempfile::TempDir,
    received: Receiver<Vec<u8>>,
    seen: RefCell<Vec<(Stream, Vec<u8>)>>,
}

impl LocalServer {
    fn path(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

fn config(address: &str) -> LogConfig {
    let options = [("syslog-address".to_owned(), address.to_owned())].into();
    LogConfig { driver: "syslog".into(), options, container_id: ID.into(), ..LogConfig::default() }
}

fn serve(server: UnixDatagram) -> Receiver<Vec<u8>> {
    let (sender, received) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(len) = server.recv(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    received
}

/// Stream and line of a message to the local server, whose other parts are as they should be.
fn parsed(message: &[u8]) -> (Stream, Vec<u8>) {
    let stream = match &message[..4] {
        b"<30>" => Stream::Stdout,
        b"<27>" => Stream::Stderr,
        other => panic!("{other:?}"),
    };
    let tag = format!(" docker/0123456789ab[{}]: ", std::process::id());
    let rest = message[4 + "Jun  1 12:00:00".len()..].strip_prefix(tag.as_bytes()).expect("the tag");
    (stream, rest.strip_suffix(b"\n").expect("a newline").to_vec())
}

impl Bench for LocalServer {
    const WHOLE_LINES: bool = false;

    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let received = serve(UnixDatagram::bind(directory.path().join("log")).unwrap());
        Self { directory, received, seen: RefCell::default() }
    }

    fn writer(&self) -> Box<dyn Writer> {
        let format = Format::new(&ID[..12], &Address::Local);
        Box::new(Sender::new(Connection::to_local(vec!["/nowhere".into(), self.path()], format).unwrap(), LONGEST))
    }

    fn lines(&self, count: usize) -> Option<Vec<(Stream, Vec<u8>)>> {
        let mut seen = self.seen.borrow_mut();
        while seen.len() < count {
            seen.push(parsed(&self.received.recv_timeout(Duration::from_secs(10)).expect("a message")));
        }
        Some(seen.clone())
    }
}

log_driver_suite!(LocalServer);

#[test]
fn a_distant_server_gets_host_name_and_rfc_3339_by_datagram() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut writer = open(&config(&format!("udp://{}", server.local_addr().unwrap()))).unwrap();
    write_all(&mut *writer, Stream::Stderr, b"bad \xff\n");
    let mut buffer = [0; 1000];
    let len = server.recv(&mut buffer).unwrap();
    let host = nix::unistd::gethostname().unwrap();
    let tail = format!(" {} docker/0123456789ab[{}]: bad ", host.to_string_lossy(), std::process::id());
    let message = &buffer[..len];
    assert!(message.starts_with(b"<27>20") && message.ends_with(&[tail.as_bytes(), b"\xff\n"].concat()), "{message:?}");
}

#[test]
fn a_server_of_streams_gets_lines_and_is_found_again_after_a_restart() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut writer = open(&config(&format!("tcp://{}", server.local_addr().unwrap()))).unwrap();
    write_all(&mut *writer, Stream::Stdout, b"first\n");
    let read = |connection: &std::net::TcpStream| {
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line
    };
    let (connection, _) = server.accept().unwrap();
    assert!(read(&connection).ends_with("]: first\n"));
    drop(connection);
    server.set_nonblocking(true).unwrap();
    // What goes into a connection that is just closed is lost, as with any syslog by TCP; then the next is made.
    let again = (0..1000).find_map(|_| {
        let _ = writer.write(Stream::Stdout, b"again\n", at());
        let _ = writer.flush();
        thread::sleep(Duration::from_millis(1));
        server.accept().ok()
    });
    let (connection, _) = again.expect("a new connection");
    connection.set_nonblocking(false).unwrap();
    assert!(read(&connection).ends_with("]: again\n"));
}

#[test]
fn a_local_server_that_restarts_is_found_again() {
    let server = LocalServer::new();
    let mut writer = server.writer();
    write_all(&mut *writer, Stream::Stdout, b"before\n");
    server.lines(1);
    std::fs::remove_file(server.path()).unwrap();
    let second = UnixDatagram::bind(server.path()).unwrap();
    // The first one's thread still holds the old socket; what is sent there is not refused until it is closed.
    drop(server.received);
    writer.write(Stream::Stdout, b"wakes the first\n", at()).unwrap();
    let _ = writer.flush();
    second.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut buffer = [0; 1000];
    let len = (0..500).find_map(|_| {
        let _ = writer.write(Stream::Stdout, b"after\n", at());
        let _ = writer.flush();
        second.recv(&mut buffer).ok()
    });
    assert!(parsed(&buffer[..len.expect("a message")]).1.ends_with(b"after"));
}

#[test]
fn a_unix_address_may_listen_for_streams_or_datagrams() {
    let directory = tempfile::tempdir().unwrap();
    let datagrams = serve(UnixDatagram::bind(directory.path().join("d")).unwrap());
    let mut writer = open(&config(&format!("unix://{}", directory.path().join("d").display()))).unwrap();
    write_all(&mut *writer, Stream::Stdout, b"hello\n");
    assert!(datagrams.recv().unwrap().ends_with(b"]: hello\n"));
    let streams = std::os::unix::net::UnixListener::bind(directory.path().join("s")).unwrap();
    let mut writer = open(&config(&format!("unix://{}", directory.path().join("s").display()))).unwrap();
    write_all(&mut *writer, Stream::Stdout, b"hello\n");
    writer.close(at()).unwrap();
    drop(writer);
    let text = std::io::read_to_string(streams.accept().unwrap().0).unwrap();
    assert!(text.starts_with("<30>") && text.ends_with("]: hello\n"), "{text}");
}

#[test]
fn servers_that_are_not_there_are_told_in_the_genuine_words() {
    // daemon/log-driver-syslog-tcp-refused
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = open(&config(&format!("tcp://{free}"))).err().unwrap();
    assert_eq!(error.to_string(), format!("dial tcp {free}: connection refused"));
    let error = open(&config("unix:///no/such/socket")).err().unwrap();
    assert_eq!(error.to_string(), "dial unix /no/such/socket: no such file or directory");
    let format = Format::new(&ID[..12], &Address::Local);
    let error = Connection::to_local(vec!["/no/such/socket".into()], format).err().unwrap();
    assert_eq!(error.to_string(), "Unix syslog delivery error");
    assert!(matches!(open(&config("udp://name.invalid")).err(), Some(Error::Address { .. })));
}

#[test]
fn a_receiver_that_takes_nothing_blocks_and_costs_no_more_than_the_queue() {
    let directory = tempfile::tempdir().unwrap();
    let server = UnixDatagram::bind(directory.path().join("log")).unwrap();
    let mut writer = open(&config(&format!("unix://{}", directory.path().join("log").display()))).unwrap();
    let line = [&[b'x'; 1000][..], b"\n"].concat();
    let blocked = (0..10_000).any(|_| {
        writer.write(Stream::Stdout, &line, at()).unwrap();
        writer.flush().unwrap() == Flushed::Blocked
    });
    assert!(blocked);
    // Who goes on giving loses lines, and is told so.
    let mut told = 0;
    let mut count = |result: Result<(), Error>| match result {
        Ok(()) => {}
        Err(Error::Dropped { lines, .. }) => told += lines,
        Err(error) => panic!("{error}"),
    };
    for _ in 0..1000 {
        count(writer.write(Stream::Stdout, &line, at()));
        count(writer.flush().map(drop));
    }
    assert!(told > 500, "{told}");
    // What is in the queue is not lost.
    let reading = thread::spawn(move || {
        server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut buffer = [0; 2000];
        std::iter::from_fn(|| server.recv(&mut buffer).ok()).count()
    });
    writer.close(at()).unwrap();
    assert!(reading.join().unwrap() > 100);
}

#[test]
fn the_documented_option_works_too_and_names_are_resolved_once() {
    let options = [("address".to_owned(), "udp://localhost:5".to_owned()), ("nosuch".into(), "1".into())].into();
    let prepared = prepare(LogConfig { options, ..config("") }).unwrap();
    // `syslog-address` was not asked for, so the documents' name counts.
    assert!(matches!(prepared.options["address"].as_str(), "udp://127.0.0.1:5" | "udp://[::1]:5"), "{prepared:?}");
    assert_eq!(prepared.options["nosuch"], "1");
}
