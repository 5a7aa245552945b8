//! Much output through a real shim: not a byte is lost, added or out of its place.
//!
//! Needs root, the built `drydock-shim`, and the machine's own `sh` and `seq`; where one is missing, each test says so.

mod support;

use drydock_engine::{
    Attach, AttachFraming, ClientSocket, Create, ExecCreate, ExecStart, ExecState, Exit, HostConfig, Kill, Logs,
    Signal, Start, Target,
};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use support::{ParentCgroup, create, engine};

/// Lines of a thousand bytes, each once.
const LINES: usize = 200_000;

/// The output of `seq -f %0999.f 1 LINES`, checked as it comes.
#[derive(Default)]
struct Expected {
    line: usize,
    /// Of the current line, what was not seen yet.
    rest: Vec<u8>,
}

impl Expected {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest.is_empty() {
                self.line += 1;
                self.rest = format!("{:0999}\n", self.line).into_bytes();
            }
            let length = bytes.len().min(self.rest.len());
            assert!(bytes[..length] == self.rest[..length], "line {} is another", self.line);
            self.rest.drain(..length);
            bytes = &bytes[length..];
        }
    }

    fn is_whole(&self, lines: usize) -> bool {
        self.line == lines && self.rest.is_empty()
    }
}

/// Takes multiplexed frames apart, cut anywhere.
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    left: usize,
}

impl Frames {
    fn see(&mut self, mut bytes: &[u8], payload: &mut Expected) {
        while !bytes.is_empty() {
            if self.left == 0 {
                let length = bytes.len().min(8 - self.head.len());
                self.head.extend_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                if let [stream, 0, 0, 0, a, b, c, d] = self.head[..] {
                    assert_eq!(stream, 1, "only stdout was written");
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.head.clear();
                }
                continue;
            }
            let length = bytes.len().min(self.left);
            payload.see(&bytes[..length]);
            self.left -= length;
            bytes = &bytes[length..];
        }
    }
}

/// A container of the machine's programs.
fn shell(image: &str, name: &str, line: &str) -> Create {
    let binds = ["/usr", "/lib", "/lib64"].into_iter().filter(|path| std::path::Path::new(path).exists());
    let binds = binds.map(|path| format!("{path}:{path}:ro")).collect();
    let mut create = create(image, name);
    create.config.cmd = Some(["/usr/bin/sh", "-c", line].map(str::to_owned).into());
    create.config.env = Some(vec!["PATH=/usr/bin:/bin".into()]);
    create.host_config = HostConfig { binds: Some(binds), ..HostConfig::default() };
    create
}

fn start(id: impl Into<Target>) -> Start {
    Start { target: id.into(), host_config: None, rules: drydock_engine::CreateRules::default() }
}

fn logs(target: impl Into<Target>, follow: bool) -> Logs {
    let tail = drydock_engine::Tail::All;
    Logs { target: target.into(), stdout: true, stderr: true, follow, timestamps: false, tail, since: 0 }
}

async fn read_log(mut bytes: drydock_engine::ByteStream) -> Expected {
    let (mut frames, mut seen) = (Frames::default(), Expected::default());
    while let Some(piece) = bytes.next().await {
        frames.see(&piece.unwrap(), &mut seen);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_are_the_same_through_attach_logs_and_a_follow_begun_midway() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(shell(&image, "much", &format!("seq -f %0999.f 1 {LINES}"))).await.unwrap().id;
    let attach = Attach {
        target: id.into(),
        logs: false,
        stream: true,
        stdin: false,
        stdout: true,
        stderr: true,
        framing: AttachFraming::ByTerminal,
    };
    let attachment = engine.attach(attach).await.unwrap();
    let (near, far) = UnixStream::pair().unwrap();
    let attached = tokio::spawn(attachment.run(ClientSocket { fd: far.into(), first: bytes::Bytes::new() }));
    let (halfway, midway) = tokio::sync::oneshot::channel();
    let client = tokio::task::spawn_blocking(move || {
        let (mut frames, mut seen, mut halfway) = (Frames::default(), Expected::default(), Some(halfway));
        let mut buffer = vec![0; 1 << 16];
        let mut near = near;
        loop {
            let length = near.read(&mut buffer).unwrap();
            if length == 0 {
                return seen;
            }
            frames.see(&buffer[..length], &mut seen);
            if seen.line > LINES / 2 {
                halfway.take().map(|halfway| halfway.send(()));
            }
        }
    });
    engine.start(start(id)).await.unwrap();
    midway.await.unwrap();
    let follow = tokio::spawn(read_log(engine.logs(logs(id, true)).await.unwrap().bytes));
    assert_eq!(engine.wait(id.into()).await.unwrap(), Some(Exit::Code(0)));
    assert!(client.await.unwrap().is_whole(LINES), "the attached client");
    attached.await.unwrap().unwrap();
    assert!(follow.await.unwrap().is_whole(LINES), "the follow");
    assert!(read_log(engine.logs(logs(id, false)).await.unwrap().bytes).await.is_whole(LINES), "the log");
    engine.shutdown().await;
}

#[test]
fn a_log_is_whole_and_an_execs_end_is_known_though_the_engine_died_midway() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let lines = 40_000;
    let line = format!("seq -f %0999.f 1 {}; read go; seq -f %0999.f {} {lines}", lines / 2, lines / 2 + 1);
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = runtime();
    let made = first.block_on(async {
        let (engine, image) = engine(dir.path()).await?;
        let mut create = shell(&image, "lives-on", &line);
        create.config.open_stdin = true;
        let id = engine.create(create).await.unwrap().id;
        engine.start(start(id)).await.unwrap();
        let exec = ExecCreate {
            target: id.into(),
            cmd: ["/usr/bin/sh", "-c", "exit 7"].map(str::to_owned).into(),
            attach_stdin: false,
            attach_stdout: false,
            attach_stderr: false,
            tty: false,
            user: String::new(),
            privileged: false,
            own_session: true,
            home: true,
            also_paused: false,
        };
        let exec = engine.exec_create(exec).await.unwrap().to_string();
        let begin = ExecStart { exec: exec.clone(), detach: true, tty: false, once: false, remembered: false };
        engine.exec_start(begin).await.unwrap().run_detached().await.unwrap();
        while !matches!(engine.exec_inspect(&exec).await.unwrap().state, ExecState::Exited(_)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some((id, exec))
    });
    // As a kill ends a daemon: nothing is told, nothing is tidied.
    first.shutdown_timeout(Duration::from_secs(10));
    let Some((id, exec)) = made else { return };
    runtime().block_on(async {
        let (engine, _) = engine(dir.path()).await.unwrap();
        assert_eq!(engine.exec_inspect(&exec).await.unwrap().state, ExecState::Exited(Exit::Code(7)));
        let attach = Attach {
            target: id.into(),
            logs: false,
            stream: true,
            stdin: true,
            stdout: false,
            stderr: false,
            framing: AttachFraming::ByTerminal,
        };
        let attachment = engine.attach(attach).await.unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let socket = ClientSocket { fd: far.into(), first: bytes::Bytes::from_static(b"go\n") };
        let attached = tokio::spawn(attachment.run(socket));
        let follow = read_log(engine.logs(logs(id, true)).await.unwrap().bytes).await;
        assert!(follow.is_whole(lines), "the follow: {} lines", follow.line);
        attached.await.unwrap().unwrap();
        drop(near);
        assert!(read_log(engine.logs(logs(id, false)).await.unwrap().bytes).await.is_whole(lines), "the log");
        let kill = Kill { target: id.into(), signal: Signal::KILL, must_run: false };
        engine.kill(kill).await.unwrap();
        engine.shutdown().await;
    });
}
