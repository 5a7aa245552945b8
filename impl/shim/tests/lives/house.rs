//! A place for containers to live in: a root file system of the host's static busybox, and a shim per life.

use drydock_shim_protocol::{
    Answer, Attach, Capabilities, Cgroups, ClientError, ContainerSpec, Event, Exit, Framing, InputEnd, Limits, Log,
    Namespace, Namespaces, Process, ProcessSpec, Request, ShimClient, Streams, SystemMounts, cleanup, connect,
    default_device_rules, default_devices, read_only_proc_paths, spawn,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const BUSYBOX: &str = "/usr/bin/busybox";

/// Above all cgroups of these tests.
pub(crate) const CGROUP_PARENT: &str = "/drydock-shim-tests";

/// Longer than anything here takes: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Whether lives can be led here; says why not.
pub(crate) fn can_live() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let missing = if !rustix::process::geteuid().is_root() {
            "root"
        } else if !Path::new(BUSYBOX).exists() {
            "a static busybox at /usr/bin/busybox (package busybox-static)"
        } else {
            return true;
        };
        eprintln!("skipped: lives need {missing}");
        false
    })
}

/// A directory with everything of one container, and its shim.
pub(crate) struct Life {
    pub(crate) dir: PathBuf,
    pub(crate) id: String,
    pub(crate) client: ShimClient,
    shim: Child,
}

impl Life {
    pub(crate) fn begin() -> Self {
        Self::begin_by(spawn)
    }

    /// One whose shim meets a fault.
    pub(crate) fn begin_with_fault(fault: &str) -> Self {
        Self::begin_by(|program, dir| {
            // The environment of this process is other tests' too: the variable goes by a program of its own.
            let script = dir.join("faulty-shim");
            fs::write(&script, format!("#!/bin/sh\nDRYDOCK_FAULT='{fault}' exec {} \"$@\"\n", program.display()))?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
            spawn(&script, dir)
        })
    }

    /// One whose shim inherits more than it should.
    pub(crate) fn begin_with_descriptor() -> Self {
        Self::begin_by(|program, dir| {
            let script = dir.join("careless");
            fs::write(&script, format!("#!/bin/sh\nexec 9</etc/passwd\nexec {} \"$@\"\n", program.display()))?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
            spawn(&script, dir)
        })
    }

    /// One whose shim is a user's.
    pub(crate) fn begin_as(uid: u32) -> Self {
        Self::begin_by(|program, dir| {
            // Where the user can read it, which may not be so of where it was built.
            let copy = dir.join("shim");
            fs::copy(program, &copy)?;
            let script = dir.join("users-shim");
            fs::write(
                &script,
                format!(
                    "#!/bin/sh\nexec setpriv --reuid={uid} --regid={uid} --clear-groups {} \"$@\"\n",
                    copy.display()
                ),
            )?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
            chown_all(dir, uid)?;
            spawn(&script, dir)
        })
    }

    fn begin_by(spawn: impl FnOnce(&Path, &Path) -> std::io::Result<(Child, UnixStream)>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(format!("drydock-life-{id}"));
        build_rootfs(&dir.join("rootfs"));
        let (shim, socket) = spawn(&program(), &dir).unwrap();
        let mut client = ShimClient::new(socket).unwrap();
        client.call(Request::Subscribe).unwrap();
        Self { dir, id, client, shim }
    }

    /// A container that runs a line of shell.
    pub(crate) fn shell(&self, script: &str) -> ContainerSpec {
        self.spec(&["sh", "-c", script])
    }

    pub(crate) fn spec(&self, args: &[&str]) -> ContainerSpec {
        let system = SystemMounts { pts_first: true, mqueue: true, writable_sys: false };
        ContainerSpec {
            id: self.id.clone(),
            rootfs: self.dir.join("rootfs"),
            read_only_rootfs: false,
            hostname: "inside".into(),
            domainname: String::new(),
            namespaces: Namespaces {
                pid: Namespace::New,
                ipc: Namespace::New,
                uts: Namespace::New,
                network: Namespace::New,
            },
            mounts: system.mounts(),
            devices: default_devices(),
            read_only_paths: read_only_proc_paths(true),
            masked_paths: Vec::new(),
            cgroups: Cgroups {
                parent: CGROUP_PARENT.into(),
                limits: Limits { devices: Some(default_device_rules()), cpuset_always: true, ..Limits::default() },
            },
            oom_score_adj: None,
            process: process(args),
            log: Log {
                driver: "json-file".into(),
                options: BTreeMap::new(),
                path: self.log_path(),
                container_id: "0".repeat(64),
                container_name: "life".into(),
            },
            spool: self.dir.clone(),
        }
    }

    pub(crate) fn start(&mut self, spec: ContainerSpec) -> u32 {
        match self.client.call(Request::Start(Box::new(spec))).unwrap() {
            Answer::Started { pid, .. } => pid,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join("log.json")
    }

    /// What the log holds of the stream, or of both.
    pub(crate) fn logged(&self, stream: Option<&str>) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let wanted = lines.filter(|line| stream.is_none_or(|stream| line["stream"] == stream));
        wanted.map(|line| line["log"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits for the exit of the first process.
    pub(crate) fn exit(&mut self) -> Exit {
        loop {
            if let Event::Exited { exit, .. } = self.client.event().unwrap() {
                return exit;
            }
        }
    }

    pub(crate) fn attach(&mut self, process: Process, wish: Wish) -> UnixStream {
        self.attach_with(process, wish, b"")
    }

    pub(crate) fn attach_with(&mut self, process: Process, wish: Wish, early: &[u8]) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        ours.set_write_timeout(Some(PATIENCE)).unwrap();
        let request = Request::Attach(Attach {
            process,
            streams: wish.streams,
            framing: wish.framing,
            input_end: wish.input_end,
            hold: wish.hold,
            detach_keys: wish.detach_keys.to_vec(),
        });
        self.client.call_with(request, early, Some(theirs.into())).unwrap();
        ours
    }

    pub(crate) fn exec(&mut self, id: &str, process: ProcessSpec) -> Result<Answer, ClientError> {
        self.client.call(Request::Exec { id: id.into(), process: Box::new(process) })
    }

    /// A second daemon's connection.
    pub(crate) fn reconnect(&self) -> ShimClient {
        ShimClient::new(connect(&self.dir).unwrap()).unwrap()
    }

    /// Kills the shim, as nobody should.
    pub(crate) fn kill_shim(&mut self) {
        self.shim.kill().unwrap();
        self.shim.wait().unwrap();
    }

    /// Whether the shim has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.shim.try_wait().unwrap().is_some()
    }

    pub(crate) fn clean_up(&self) {
        cleanup(&program(), &self.dir, &self.id, CGROUP_PARENT).unwrap();
    }

    /// Ends the shim, which must leave nothing.
    pub(crate) fn end(mut self) {
        assert_eq!(self.client.call(Request::Shutdown).unwrap(), Answer::Done);
        assert!(self.shim.wait().unwrap().success());
        self.assert_nothing_is_left();
    }

    pub(crate) fn assert_nothing_is_left(&self) {
        assert_eq!(cgroups_of(&self.id), Vec::<PathBuf>::new());
        assert!(!self.dir.join("shim.sock").exists());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&format!("drydock-life-{} ", self.id)), "{mounts}");
        let words = fs::read_to_string(self.dir.join("shim.err")).unwrap();
        assert_eq!(words, "", "the shim complained");
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.shim.kill();
        let _ = self.shim.wait();
        let _ = cleanup(&program(), &self.dir, &self.id, CGROUP_PARENT);
        let _ = fs::remove_dir_all(&self.dir);
        for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = fs::remove_dir(hierarchy.path().join(&CGROUP_PARENT[1..])); // The last life's; else it is in use.
        }
    }
}

/// What a client of the tests wants: all streams, framed, unless said otherwise.
pub(crate) struct Wish {
    pub(crate) streams: Streams,
    pub(crate) framing: Framing,
    pub(crate) input_end: InputEnd,
    pub(crate) hold: bool,
    pub(crate) detach_keys: &'static [u8],
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            streams: Streams { stdin: true, stdout: true, stderr: true },
            framing: Framing::Multiplexed,
            input_end: InputEnd::Close,
            hold: false,
            detach_keys: b"",
        }
    }
}

impl Wish {
    pub(crate) fn raw() -> Self {
        Self { framing: Framing::Raw, ..Self::default() }
    }

    pub(crate) fn output_and_input() -> Self {
        Self::default()
    }

    pub(crate) fn output() -> Self {
        Self { streams: Streams { stdin: false, stdout: true, stderr: true }, ..Self::default() }
    }
}

pub(crate) fn process(args: &[&str]) -> ProcessSpec {
    ProcessSpec {
        args: args.iter().map(ToString::to_string).collect(),
        env: vec!["PATH=/bin:/sbin".into()],
        set_home: true,
        cwd: "/".into(),
        user: String::new(),
        tty: false,
        stdin: false,
        stdin_once: false,
        own_session: true,
        capabilities: Capabilities::default(),
        rlimits: Vec::new(),
    }
}

pub(crate) fn program() -> PathBuf {
    // Another build, such as the static one, can be put to the same tests.
    let built = option_env!("CARGO_BIN_EXE_drydock-shim").map(PathBuf::from);
    std::env::var_os("DRYDOCK_SHIM").map(PathBuf::from).or(built).expect("DRYDOCK_SHIM names the program")
}

/// Directories of a container's cgroup, in all hierarchies.
pub(crate) fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let paths = hierarchies.map(|entry| entry.path().join(&CGROUP_PARENT[1..]).join(id));
    paths.filter(|path| path.exists()).collect()
}

/// Everything until the peer ends it.
pub(crate) fn read_all(mut socket: &UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads until the text shows.
pub(crate) fn read_until(mut socket: &UnixStream, text: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains(text) {
        let length = socket.read(&mut buffer).unwrap_or_else(|error| panic!("{error}, before {text:?}: {seen:?}"));
        assert!(length > 0, "ended before {text:?}: {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    seen
}

/// Payloads of frames, by stream.
pub(crate) fn unframe(bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut streams = BTreeMap::new();
    let mut rest = bytes;
    while let Some((header, more)) = rest.split_first_chunk::<8>() {
        let [stream, 0, 0, 0, a, b, c, d] = *header else { panic!("no frame: {header:?}") };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        assert!(length <= 64 << 10);
        let (payload, more) = more.split_at(length);
        streams.entry(stream).or_insert_with(Vec::new).extend_from_slice(payload);
        rest = more;
    }
    assert!(rest.is_empty());
    streams
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn build_rootfs(root: &Path) {
    for directory in ["bin", "etc", "proc", "sys", "dev", "tmp", "root", "home/op"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).unwrap();
    for applet in APPLETS.split_whitespace() {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nop:x:37:37::/home/op:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nadm:x:4:op\nstaff:x:50:op\n").unwrap();
}

/// What the scripts of the tests use.
const APPLETS: &str = "cat cut echo env false grep head hostname id ip ls mknod mount ps pwd readlink sed seq sh sleep sort \
                       stat stty tail tee touch tr true tty wc yes";

fn chown_all(path: &Path, uid: u32) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid))?;
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path)?.try_for_each(|entry| chown_all(&entry?.path(), uid))?;
    }
    Ok(())
}
