//! How fast lives, execs and streams go, beside what bare system calls take:
//!
//! `DRYDOCK_SHIM=target/static/…/drydock-shim cargo run --release -p drydock-shim --example pace`
//!
//! with the program as it is shipped (static). Needs root and the host's static busybox.

#[allow(dead_code)] // Tests use the rest of it.
#[path = "../tests/lives/house.rs"]
mod house;

use drydock_shim_protocol::{
    Answer, ContainerSpec, Event, Exit, InputEnd, Namespace, Process, Request, ShimClient, Streams, spawn,
};
use house::{Life, Wish, can_live, process, program};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;
const BYTES: usize = 200 << 20;

fn main() {
    if !can_live() {
        return;
    }
    let life = Life::begin();
    let mut spec = life.spec(&["true"]);
    let floor = || drop(Command::new("/usr/bin/busybox").arg("true").status());
    report("spawn of `busybox true`", measure(ROUNDS, floor));
    let before = children_cpu();
    report("life, its own network namespace", measure(ROUNDS, || lead(&life, &spec)));
    println!("{:<36} {:.2?} a life, shim and container", "CPU", (children_cpu() - before) / ROUNDS as u32);
    spec.namespaces.network = Namespace::Host;
    report("life, a ready network namespace", measure(ROUNDS, || lead(&life, &spec)));
    memory(&life, &spec);
    execs();
    ping_pong();
    stream("attach, no log", "none", "head -c 209715200 /dev/zero", true);
    stream(
        "json-file, no client",
        "json-file",
        "yes 0123456789012345678901234567890123456789 | head -c 209715200",
        false,
    );
    stream(
        "json-file, a client",
        "json-file",
        "yes 0123456789012345678901234567890123456789 | head -c 209715200",
        true,
    );
    pipe_floor();
}

/// One whole life, as an engine leads it.
fn lead(life: &Life, spec: &ContainerSpec) {
    let (mut child, socket) = spawn(&program(), &life.dir).unwrap();
    let mut client = ShimClient::new(socket).unwrap();
    client.call(Request::Subscribe).unwrap();
    client.call(Request::Start(Box::new(spec.clone()))).unwrap();
    while !matches!(client.event().unwrap(), Event::Exited { .. }) {}
    client.call(Request::Shutdown).unwrap();
    assert!(child.wait().unwrap().success());
}

/// CPU time of all children that were reaped, and theirs: the kernel's tick is its precision.
fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(13).take(2);
    Duration::from_millis(10) * fields.map(|ticks| ticks.parse::<u32>().unwrap()).sum()
}

fn memory(life: &Life, spec: &ContainerSpec) {
    let mut idle = spec.clone();
    idle.process.args = vec!["sleep".into(), "1000".into()];
    let (mut child, socket) = spawn(&program(), &life.dir).unwrap();
    let mut client = ShimClient::new(socket).unwrap();
    client.call(Request::Start(Box::new(idle))).unwrap();
    let smaps = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", client.hello().pid)).unwrap();
    let private = smaps.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes: u64 = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum();
    println!("{:<36} {kilobytes} kB private", "a shim beside `sleep`");
    client.call(Request::Subscribe).unwrap();
    client.call(Request::Signal { process: Process::Init, signal: 9 }).unwrap();
    while !matches!(client.event().unwrap(), Event::Exited { .. }) {}
    client.call(Request::Shutdown).unwrap();
    child.wait().unwrap();
}

fn execs() {
    let mut life = Life::begin();
    let spec = life.spec(&["sleep", "1000"]);
    life.start(spec);
    let mut count = 0;
    let exec = || {
        count += 1;
        let id = format!("e{count}");
        let client = life.attach(Process::Exec(id.clone()), Wish::output());
        life.exec(&id, process(&["true"])).unwrap();
        house::read_all(&client);
        while !matches!(life.client.event().unwrap(), Event::ExecExited { .. }) {}
        life.client.call(Request::Forget { exec: id }).unwrap();
    };
    report("exec, attached", measure(ROUNDS, exec));
}

fn ping_pong() {
    let mut life = Life::begin();
    let mut spec = life.spec(&["cat"]);
    spec.process.stdin = true;
    spec.log.driver = "none".into();
    life.start(spec);
    let client = life.attach(Process::Init, Wish { input_end: InputEnd::Close, ..Wish::raw() });
    let mut byte = [0];
    let ping = || {
        (&client).write_all(b"x").unwrap();
        (&client).read_exact(&mut byte).unwrap();
    };
    report("stdin ping-pong", measure(5_000, ping));
}

fn stream(what: &str, driver: &str, script: &str, attached: bool) {
    let mut life = Life::begin();
    let mut spec = life.shell(script);
    spec.log.driver = driver.into();
    let output = Wish { streams: Streams { stdin: false, stdout: true, stderr: true }, ..Wish::default() };
    let client = attached.then(|| life.attach(Process::Init, output));
    let begin = Instant::now();
    life.start(spec);
    let taken = client.map(|client| count(&client));
    assert_eq!(life.exit(), Exit::Code(0));
    let logged = life.client.call(Request::SyncLog).unwrap();
    rate(what, begin.elapsed());
    assert!(taken.is_none_or(|taken| taken >= BYTES), "{taken:?}");
    assert!(matches!(logged, Answer::Logged { .. }));
}

/// Two hops of bare reads and writes: what any go-between must do.
fn pipe_floor() {
    let begin = Instant::now();
    let mut child = Command::new("/usr/bin/busybox")
        .args(["head", "-c", &BYTES.to_string(), "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let copier = std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = output.read(&mut buffer).unwrap();
            if length == 0 {
                break;
            }
            (&ours).write_all(&buffer[..length]).unwrap();
        }
    });
    assert_eq!(count(&theirs), BYTES);
    copier.join().unwrap();
    child.wait().unwrap();
    rate("floor: pipe, copy, socket", begin.elapsed());
}

fn count(mut from: impl Read) -> usize {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        match from.read(&mut buffer).unwrap() {
            0 => return total,
            length => total += length,
        }
    }
}

fn measure(rounds: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

fn report(what: &str, times: Vec<Duration>) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{what:<36} min {:>9.1?}  median {:>9.1?}  p99 {:>9.1?}", at(0.0), at(0.5), at(0.99));
}

fn rate(what: &str, time: Duration) {
    println!("{what:<36} {:>6.0} MB/s", BYTES as f64 / 1e6 / time.as_secs_f64());
}
