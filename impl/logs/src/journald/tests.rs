use super::*;
use crate::suite::{Bench, at, log_driver_suite, write_all};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::cell::RefCell;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Receives as the journal does.
struct Receiver {
    directory: tempfile::TempDir,
    socket: UnixDatagram,
    seen: RefCell<Vec<(Stream, Vec<u8>)>>,
    /// The suite writes all before it looks, more than a socket holds.
    pending: std::sync::mpsc::Receiver<Vec<u8>>,
}

impl Receiver {
    fn config() -> LogConfig {
        let driver = "journald".into();
        LogConfig { driver, container_id: ID.into(), container_name: "ld".into(), ..LogConfig::default() }
    }
}

/// One entry, from a datagram or from the file that came with it.
fn receive(socket: &UnixDatagram) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 1 << 20];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    bytes.truncate(received.bytes);
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            for file in files.map(File::from) {
                bytes = vec![0; file.metadata()?.len() as usize];
                file.read_exact_at(&mut bytes, 0)?;
                assert!(file.write_at(b"x", 0).is_err(), "the file can no longer change");
            }
        }
    }
    Ok(bytes)
}

fn parsed(entry: &[u8]) -> (Stream, Vec<u8>) {
    let fields = format!("\nCONTAINER_ID=0123456789ab\nCONTAINER_ID_FULL={ID}\nCONTAINER_NAME=ld\n");
    let rest = entry.strip_suffix(fields.as_bytes()).expect("the fields");
    match rest.split_at(b"PRIORITY=6\nMESSAGE=".len()) {
        (b"PRIORITY=6\nMESSAGE=", line) => (Stream::Stdout, line.to_vec()),
        (b"PRIORITY=3\nMESSAGE=", line) => (Stream::Stderr, line.to_vec()),
        other => panic!("{other:?}"),
    }
}

impl Bench for Receiver {
    const WHOLE_LINES: bool = false;

    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("socket")).unwrap();
        let (sender, pending) = std::sync::mpsc::channel();
        let reading = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            while let Ok(entry) = receive(&reading) {
                if sender.send(entry).is_err() {
                    return;
                }
            }
        });
        Self { directory, socket, seen: RefCell::default(), pending }
    }

    fn writer(&self) -> Box<dyn Writer> {
        open(&self.directory.path().join("socket"), &Self::config()).unwrap()
    }

    fn lines(&self, count: usize) -> Option<Vec<(Stream, Vec<u8>)>> {
        let mut seen = self.seen.borrow_mut();
        while seen.len() < count {
            seen.push(parsed(&self.pending.recv_timeout(Duration::from_secs(10)).expect("an entry")));
        }
        Some(seen.clone())
    }
}

log_driver_suite!(Receiver);

#[test]
fn an_entry_that_no_datagram_holds_comes_as_a_file() {
    let receiver = Receiver::new();
    let mut writer = receiver.writer();
    rustix::net::sockopt::set_socket_send_buffer_size(&receiver.socket, 1 << 20).unwrap();
    let line = vec![b'x'; LONGEST - 1];
    write_all(&mut *writer, Stream::Stderr, &[&line[..], b"\n"].concat());
    writer.close(at()).unwrap();
    assert_eq!(receiver.lines(1).unwrap(), [(Stream::Stderr, line)]);
}

#[test]
fn a_machine_without_a_journal_is_told_in_the_genuine_words() {
    let error = open(Path::new("/no/such/socket"), &Receiver::config()).err().unwrap();
    assert_eq!(error.to_string(), "journald is not enabled on this host");
}
