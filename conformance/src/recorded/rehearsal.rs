//! Scripts run against a stand-in that answers from the recordings: every answer must come out equal. What does not
//! is a fault of the suite's own: of the client, the placeholders, or the normaliser.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, Mutex, atomic::AtomicBool},
    thread,
};

use drydock_spec::{VERSIONS, Version};

use super::{BESIDE_THE_API, Bodies, Image, Lane, Naming, Script, compare, scripts};
use crate::exchange::{Address, Client, Content, End, Exchange, Limits, NoAnswer, Recordings, Response};

/// Answers by method and target, in the order in which they were recorded.
type Answers = Arc<Mutex<HashMap<(String, String), VecDeque<Exchange>>>>;

/// Whether the recordings keep all that a stand-in has to answer, and it takes no time to answer so.
fn can_be_rehearsed(script: &Script) -> bool {
    let whole = |exchange: &Exchange| match &exchange.answer {
        Ok(response) => {
            let kept = matches!(response.content, Content::Bytes(_) | Content::Frames(_));
            kept && !response.left_early()
        }
        Err(error) => *error == NoAnswer::Closed,
    };
    // The stand-in speaks HTTP with one request a connection, and cannot tell times apart.
    let plain = !["http/", "routing/", "events/", "system/", "images.load"]
        .iter()
        .any(|group| script.scenario.starts_with(group));
    plain
        && !BESIDE_THE_API.iter().any(|group| script.scenario.starts_with(group))
        // How much of an id tells it from others depends on those others; what is made up is another name each time.
        && script.steps.iter().all(|step| whole(&step.recorded) && step.named_by.is_none())
}

#[test]
fn scripts_come_out_equal_on_a_daemon_that_does_as_recorded() {
    let recordings = Recordings::of_the_project();
    let bodies = Bodies::read(&recordings, &Image::default()).unwrap();
    thread::scope(|scope| {
        for version in VERSIONS {
            let (recordings, bodies) = (&recordings, &bodies);
            scope.spawn(move || rehearse(version, &scripts(recordings, bodies, version).unwrap()));
        }
    });
}

fn rehearse(version: Version, scripts: &[Script]) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("stand-in.sock");
    let rehearsed: Vec<&Script> = scripts.iter().filter(|script| can_be_rehearsed(script)).collect();
    assert!(rehearsed.len() > 250, "{version}: {} scripts", rehearsed.len());
    let mut answers: HashMap<(String, String), VecDeque<Exchange>> = HashMap::new();
    for step in rehearsed.iter().flat_map(|script| &script.steps) {
        let request = &step.recorded.request;
        answers.entry((request.method.clone(), request.target.clone())).or_default().push_back(step.recorded.clone());
    }
    let listener = UnixListener::bind(&socket).unwrap();
    let answers: Answers = Arc::new(Mutex::new(answers));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answers = answers.clone();
            thread::spawn(move || answer(stream, &answers));
        }
    });
    let client = Client::new(Address::Unix(socket), Limits::default());
    let (naming, stop) = (Naming::recorded(), AtomicBool::new(false));
    let mut lane = Lane::new(&client, &naming, &stop);
    for script in rehearsed {
        let ran = lane.run(script);
        assert_eq!(ran.len(), script.steps.len());
        // Tidying reaches into scenarios that are not rehearsed.
        let compared =
            ran.iter().zip(compare(script, &ran, &naming, |_, _, _| false)).filter(|(ran, _)| !ran.step.is_cleanup());
        for (ran, comparison) in compared {
            assert!(
                comparison.is_equal(),
                "{version} {}/{}:\n{}\nsent {}",
                script.scenario,
                ran.step.label(),
                comparison.diff(),
                ran.live.request.show()
            );
        }
    }
}

fn answer(stream: UnixStream, answers: &Answers) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    let _ = reader.read_line(&mut line);
    let mut words = line.split_whitespace().map(str::to_owned);
    let key = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let _ = reader.by_ref().take(length).read_to_end(&mut Vec::new());
    let recorded = answers.lock().unwrap().get_mut(&key).and_then(VecDeque::pop_front);
    let mut stream = stream;
    match recorded.map(|exchange| exchange.answer) {
        None => drop(stream.write_all(b"HTTP/1.1 599 Not Recorded\r\nContent-Length: 0\r\n\r\n")),
        Some(Err(NoAnswer::Timeout)) => drop(reader.read_to_end(&mut Vec::new())),
        Some(Err(_)) => {}
        Some(Ok(response)) => {
            let _ = stream.write_all(&wire(&response));
            if response.end == End::Timeout {
                let _ = reader.read_to_end(&mut Vec::new());
            }
        }
    }
}

fn wire(response: &Response) -> Vec<u8> {
    let mut out = format!("{} {} {}\r\n", response.proto, response.status, response.reason).into_bytes();
    let body = match &response.content {
        Content::Bytes(_) | Content::Frames(_) => response.bytes().unwrap().into_owned(),
        _ => Vec::new(),
    };
    for (name, value) in &response.headers {
        // What names the machine was rewritten when it was recorded, so that lengths differ.
        let length = body.len().to_string();
        let value = if name == "Content-Length" && !body.is_empty() { &length } else { value };
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    if response.header("Transfer-Encoding").is_none() {
        out.extend_from_slice(&body);
        return out;
    }
    let mut rest = &body[..];
    // A long list of chunks is recorded by its beginning.
    for length in response.chunks.iter().chain([&usize::MAX]) {
        let (chunk, after) = rest.split_at((*length).min(rest.len()));
        if chunk.is_empty() {
            continue;
        }
        let length = chunk.len();
        out.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    if response.end != End::Timeout {
        out.extend_from_slice(b"0\r\n\r\n");
    }
    out
}
