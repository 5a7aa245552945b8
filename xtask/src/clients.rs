//! Real clients against the reference daemon: old and new ones, each at the versions it speaks.
//!
//! What a client needs is installed from its package registry into the target directory. A client whose interpreter
//! or package cannot be had is reported as absent, never as passed. Every script runs in the daemon's own network
//! namespace, so that published ports and the daemon's TCP address are reached, and tells of each of its acts by a
//! line: `ok ACT`, `not ok ACT` or `skip ACT: REASON`.

use std::{
    env,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use drydock_conformance::run::Interrupt;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    artifacts,
    bench::target::{self, Target},
    cargo,
    image::Program,
};

/// Where the daemon listens for clients that know no unix socket, in its own network namespace.
const TCP: &str = "127.0.0.1:2375";
/// A script that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long it may take to tidy up when it is ended.
const TIDYING: Duration = Duration::from_secs(5);
/// Seconds that a docker command may take to say what it is.
const PROBE: &str = "10";

/// Run real client libraries, the docker command and a browser against drydockd.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only clients whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Run the docker command's scripts with this command as well, at the version it speaks; may be repeated.
    #[arg(long, value_name = "FILE")]
    docker: Vec<PathBuf>,

    /// Fail where a client cannot be had, or one of its acts is skipped.
    #[arg(long)]
    require_all: bool,
}

/// What runs a client's scripts.
#[derive(Clone, Copy)]
enum Runtime {
    /// A Python of this version, as `pythonX.Y` or from pyenv.
    Python(&'static str),
    Node,
    Ruby,
    /// Node, and a Chromium that it drives.
    Browser,
    /// The shell, and a docker command that speaks the version.
    DockerCommand,
}

struct Client {
    name: String,
    runtime: Runtime,
    packages: &'static [&'static str],
    scripts: &'static [&'static str],
    versions: Vec<String>,
    /// The docker command that the user named.
    command: Option<PathBuf>,
}

impl Client {
    fn new(
        name: &str,
        runtime: Runtime,
        packages: &'static [&'static str],
        scripts: &'static [&'static str],
        versions: &[&str],
    ) -> Self {
        let versions = versions.iter().map(|&version| version.to_owned()).collect();
        Self { name: name.to_owned(), runtime, packages, scripts, versions, command: None }
    }
}

const COMMAND_SCRIPTS: &[&str] = &["cli/run.sh", "cli/lives.sh", "cli/streams.sh", "cli/images.sh"];

/// All clients: each docker-py at the version it was made for, and the newest ones.
fn clients() -> Vec<Client> {
    const SOCKETS: &str = "websocket-client==0.32.0";
    let python = ["docker_py.py"].as_slice();
    let node = ["dockerode.js"].as_slice();
    vec![
        Client::new(
            "docker-py 0.5.3",
            Runtime::Python("2.7"),
            &["docker-py==0.5.3", "requests==2.2.1", "six", SOCKETS],
            python,
            &["1.14"],
        ),
        Client::new(
            "docker-py 0.6.0",
            Runtime::Python("2.7"),
            &["docker-py==0.6.0", "requests==2.4.3", "six", SOCKETS],
            python,
            &["1.15"],
        ),
        Client::new(
            "docker-py 0.7.2",
            Runtime::Python("2.7"),
            &["docker-py==0.7.2", "requests==2.5.3", "six", SOCKETS],
            python,
            &["1.16"],
        ),
        Client::new(
            "docker-py 1.1.0",
            Runtime::Python("2.7"),
            &["docker-py==1.1.0", "requests==2.5.3", "six", SOCKETS],
            python,
            &["1.17"],
        ),
        Client::new(
            "docker-py 1.2.3",
            Runtime::Python("2.7"),
            &["docker-py==1.2.3", "requests==2.6.2", "six", SOCKETS],
            python,
            &["1.15", "1.18"],
        ),
        Client::new(
            "docker-py 1.3.1",
            Runtime::Python("2.7"),
            &["docker-py==1.3.1", "requests==2.7.0", "six", SOCKETS],
            python,
            &["1.19"],
        ),
        Client::new(
            "docker-py 1.10.6",
            Runtime::Python("3.6"),
            &["docker-py==1.10.6", "requests==2.11.1", SOCKETS],
            python,
            &["1.18", "1.19"],
        ),
        Client::new("dockerode 2.5.8", Runtime::Node, &["dockerode@2.5.8"], node, &["1.14", "1.16", "1.19"]),
        Client::new("dockerode 5.0.1", Runtime::Node, &["dockerode@5.0.1"], node, &["1.16", "1.19"]),
        Client::new("docker-api gem", Runtime::Ruby, &[], &["docker_api.rb"], &["1.16", "1.19"]),
        Client::new("browser", Runtime::Browser, &[], &["browser.js"], &["1.14", "1.19"]),
        Client::new(
            "docker command",
            Runtime::DockerCommand,
            &[],
            COMMAND_SCRIPTS,
            &["1.14", "1.15", "1.16", "1.17", "1.18", "1.19"],
        ),
    ]
}

/// A docker command that the user named: it speaks one version, which it tells.
fn named(command: &Path) -> Result<Client> {
    let command = fs::canonicalize(command).with_context(|| format!("no docker command {}", command.display()))?;
    let mut ask = Command::new("timeout");
    ask.arg(PROBE).arg(&command).arg("version").env("DOCKER_HOST", "unix:///nowhere");
    let text = String::from_utf8_lossy(&ask.output()?.stdout).into_owned();
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Client API version: ").map(str::to_owned))
        .with_context(|| format!("{} tells no API version of the client's", command.display()))?;
    let mut client =
        Client::new(&command.display().to_string(), Runtime::DockerCommand, &[], COMMAND_SCRIPTS, &[&version]);
    client.command = Some(command);
    Ok(client)
}

/// How the clients came out.
#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
    /// Client and what it lacks.
    absent: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut chosen = clients();
    chosen.retain(|client| args.only.as_ref().is_none_or(|text| client.name.contains(text.as_str())));
    if args.only.is_none() && !args.docker.is_empty() {
        chosen.clear();
    }
    for command in &args.docker {
        chosen.push(named(command)?);
    }
    let interrupt = Interrupt::on_signals();
    let tally = drive(&chosen, &interrupt)?;
    for absent in &tally.absent {
        println!("absent: {absent}");
    }
    let absent = tally.absent.len();
    println!("{} passed, {} failed, {} skipped, {absent} clients absent", tally.passed, tally.failed, tally.skipped);
    let whole = !args.require_all || tally.skipped == 0 && absent == 0;
    Ok(if tally.failed == 0 && tally.passed > 0 && whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs each client at each of its versions on one daemon, started for it.
fn drive(clients: &[Client], interrupt: &Interrupt) -> Result<Tally> {
    let artifacts = artifacts::all(Program::Own)?;
    let root = cargo::target().join("clients");
    let mut tally = Tally::default();
    let mut command = target::reference(&artifacts);
    command.extend(["-H".to_owned(), format!("tcp://{TCP}")]);
    let daemon = Target::start("drydockd", &command, &root.join("run"))?;
    daemon.load(&artifacts.image.archive)?;
    for client in clients.iter().take_while(|_| !interrupt.is_set()) {
        let home = root.join(client.name.replace([' ', '/'], "-"));
        match client.install(&home) {
            Err(error) => tally.absent.push(format!("{}: {error:#}", client.name)),
            Ok(program) => {
                for version in client.versions.iter().take_while(|_| !interrupt.is_set()) {
                    client.run(&program, &home, &daemon, version, interrupt, &mut tally)?;
                }
            }
        }
    }
    Ok(tally)
}

impl Client {
    /// Installs its packages into `home` and gives the program that runs its scripts.
    fn install(&self, home: &Path) -> Result<PathBuf> {
        fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
        let program = match self.runtime {
            Runtime::Python(version) => python(version)?,
            Runtime::Node => found("node").context("node is not installed")?,
            Runtime::Browser => {
                found("chromium").context("chromium is not installed")?;
                found("node").context("node is not installed")?
            }
            Runtime::Ruby => {
                let ruby = found("ruby").context("ruby is not installed")?;
                let has = Command::new(&ruby).args(["-e", "require 'docker'"]).output()?;
                ensure!(has.status.success(), "ruby has no docker-api (Debian: ruby-docker-api)");
                ruby
            }
            Runtime::DockerCommand => {
                found("script").context("`script` is not installed: it gives commands a terminal")?;
                PathBuf::from("sh")
            }
        };
        let done = home.join(".installed");
        if self.packages.is_empty() || done.exists() {
            return Ok(program);
        }
        let mut install = match self.runtime {
            Runtime::Node => {
                let mut install = Command::new("npm");
                install.args(["install", "--no-save", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(home);
                install
            }
            _ => {
                let mut install = Command::new(&program);
                install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]).arg(home);
                install
            }
        };
        let told = install
            .args(self.packages)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {install:?}"))?;
        if !told.status.success() {
            bail!("its packages cannot be installed: {}", last_line(&told.stderr));
        }
        fs::write(done, "")?;
        Ok(program)
    }

    fn run(
        &self,
        program: &Path,
        home: &Path,
        daemon: &Target,
        version: &str,
        interrupt: &Interrupt,
        tally: &mut Tally,
    ) -> Result<()> {
        let docker = match (self.runtime, &self.command) {
            (Runtime::DockerCommand, None) => match docker_command(daemon.socket()?, version) {
                Some(command) => command,
                None => {
                    tally.absent.push(format!("{} at {version}: none in the path speaks this version", self.name));
                    return Ok(());
                }
            },
            (_, command) => command.clone().unwrap_or_default(),
        };
        for script in self.scripts {
            let mut command = Command::new("nsenter");
            command
                .arg(format!("--net=/proc/{}/ns/net", daemon.process()?))
                .arg(program)
                .arg(cargo::root().join("fixtures/clients").join(script))
                .arg(daemon.socket()?)
                .arg(version)
                .env("PYTHONPATH", home)
                .env("NODE_PATH", home.join("node_modules"))
                .env("DOCKER", &docker)
                .env("DAEMON_TCP", TCP);
            let outcome = patiently(&mut command, home, interrupt).with_context(|| format!("running {}", self.name))?;
            outcome.tell(&format!("{} at {version}, {script}", self.name), tally);
        }
        Ok(())
    }
}

/// What a script told.
struct Outcome {
    /// `None`: it took too long, or the run is to end, and it was ended.
    status: Option<ExitStatus>,
    told: String,
    errors: String,
}

impl Outcome {
    fn tell(&self, name: &str, tally: &mut Tally) {
        let count = |start| u32::try_from(self.told.lines().filter(|line| line.starts_with(start)).count());
        let [ok, wrong, skipped] = ["ok ", "not ok ", "skip "].map(|start| count(start).unwrap_or(u32::MAX));
        tally.passed += ok;
        tally.skipped += skipped;
        // A script that ends badly, or tells of nothing, fails though none of its acts does.
        let ended_well = self.status.is_some_and(|status| status.success()) && ok > 0;
        let failed = if ended_well { wrong } else { wrong.max(1) };
        tally.failed += failed;
        println!("{name}: {ok} passed, {failed} failed, {skipped} skipped");
        for line in self.told.lines().filter(|line| line.starts_with("not ok ") || line.starts_with("skip ")) {
            println!("  {line}");
        }
        if failed > 0 {
            if self.status.is_none() {
                println!("  it did not end; the last it told: {}", last_line(self.told.as_bytes()));
            }
            println!("{}", self.errors);
        }
    }
}

/// A script in a process group of its own, all of which ends with this.
struct Script(Child);

impl Script {
    /// Waits for its end, at most until `until`.
    fn ended(&mut self, until: Instant, interrupt: &Interrupt) -> Result<Option<ExitStatus>> {
        while Instant::now() < until && !interrupt.is_set() {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(None)
    }

    fn signal(&self, signal: Signal) {
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(group), signal); // Nothing of it is left.
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // First the signal that lets a script tidy up.
            self.signal(Signal::SIGTERM);
            let _ = self.ended(Instant::now() + TIDYING, &Interrupt::new());
        }
        self.signal(Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// Runs a script, which is ended when it takes too long or the run is to end.
fn patiently(command: &mut Command, home: &Path, interrupt: &Interrupt) -> Result<Outcome> {
    let (told, errors) = (home.join("told"), home.join("errors"));
    let command = command.stdin(Stdio::null()).stdout(File::create(&told)?).stderr(File::create(&errors)?);
    let mut script = Script(command.process_group(0).spawn()?);
    let status = script.ended(Instant::now() + PATIENCE, interrupt)?;
    drop(script);
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(Outcome { status, told: read(&told)?, errors: read(&errors)? })
}

/// The docker command in the path that is nearest to the version in age, of those that still speak it.
fn docker_command(socket: &Path, version: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join("docker")).filter(|file| file.is_file());
    let says = |command: &Path, words: &[&str]| {
        let mut ask = Command::new("timeout");
        ask.arg(PROBE).arg(command).args(words);
        ask.env("DOCKER_HOST", format!("unix://{}", socket.display())).env("DOCKER_API_VERSION", version);
        let told = ask.output().ok().filter(|told| told.status.success())?;
        Some(String::from_utf8_lossy(&told.stdout).trim().to_owned())
    };
    let newest_spoken = |command: &PathBuf| {
        says(command, &["version", "--format", "{{.Client.DefaultAPIVersion}}"])
            .and_then(|told| told.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>())
    };
    found.filter(|command| says(command, &["ps", "-q"]).is_some()).min_by_key(newest_spoken)
}

fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).trim().lines().last().unwrap_or("no reason given").to_owned()
}

/// A program in the path that really runs: pyenv's stand-ins for other versions do not.
fn found(name: &str) -> Option<PathBuf> {
    let runs = Command::new(name).arg("--version").output().is_ok_and(|told| told.status.success());
    runs.then(|| PathBuf::from(name))
}

fn python(version: &str) -> Result<PathBuf> {
    if let Some(program) = found(&format!("python{version}")) {
        return Ok(program);
    }
    let root = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".pyenv")));
    let installed = root.iter().filter_map(|root| fs::read_dir(root.join("versions")).ok()).flatten().flatten();
    installed
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{version}.")))
        .map(|entry| entry.path().join("bin/python"))
        .find(|program| program.exists())
        .with_context(|| format!("Python {version} is not installed"))
}
