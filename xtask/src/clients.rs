//! Real clients against the reference daemon: old and new ones, each at the versions it speaks.
//!
//! What a client needs is installed from its package registry into the target directory. A client whose interpreter
//! or package cannot be had is reported as absent, never as passed.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    artifacts,
    bench::target::{self, Target},
    cargo,
    image::Program,
};

/// Run real client libraries and the docker command against drydockd.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only clients whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What runs a client's script.
#[derive(Clone, Copy)]
enum Runtime {
    /// A Python of this version, as `pythonX.Y` or from pyenv.
    Python(&'static str),
    Node,
    /// The shell, with the docker command installed.
    DockerCommand,
}

struct Client {
    name: &'static str,
    runtime: Runtime,
    packages: &'static [&'static str],
    script: &'static str,
    versions: &'static [&'static str],
}

const CLIENTS: [Client; 6] = [
    Client {
        name: "docker-py 1.2.3",
        runtime: Runtime::Python("2.7"),
        packages: &["docker-py==1.2.3", "requests==2.6.2", "six", "websocket-client==0.32.0"],
        script: "docker_py.py",
        versions: &["1.17", "1.18"],
    },
    Client {
        name: "docker-py 1.3.1",
        runtime: Runtime::Python("2.7"),
        packages: &["docker-py==1.3.1", "requests==2.7.0", "six", "websocket-client==0.32.0"],
        script: "docker_py.py",
        versions: &["1.19"],
    },
    Client {
        name: "docker-py 1.10.6",
        runtime: Runtime::Python("3.6"),
        packages: &["docker-py==1.10.6", "requests==2.11.1", "websocket-client==0.32.0"],
        script: "docker_py.py",
        versions: &["1.18", "1.19"],
    },
    Client {
        name: "dockerode 2.5.8",
        runtime: Runtime::Node,
        packages: &["dockerode@2.5.8"],
        script: "dockerode.js",
        versions: &["1.16", "1.19"],
    },
    Client {
        name: "dockerode 5.0.1",
        runtime: Runtime::Node,
        packages: &["dockerode@5.0.1"],
        script: "dockerode.js",
        versions: &["1.16", "1.19"],
    },
    Client {
        name: "docker command",
        runtime: Runtime::DockerCommand,
        packages: &[],
        script: "cli.sh",
        versions: &["1.14", "1.15", "1.16", "1.17", "1.18", "1.19"],
    },
];

/// How the clients came out.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    /// Client and what it lacks.
    pub(crate) absent: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let tally = all(args.only.as_deref())?;
    for absent in &tally.absent {
        println!("absent: {absent}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(if tally.failed == 0 && tally.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs each client at each of its versions on one daemon, started for it.
pub(crate) fn all(only: Option<&str>) -> Result<Tally> {
    let artifacts = artifacts::all(Program::Own)?;
    let root = cargo::target().join("clients");
    let mut tally = Tally::default();
    let daemon = Target::start("drydockd", &target::reference(&artifacts), &root.join("run"))?;
    daemon.load(&artifacts.image.archive)?;
    for client in CLIENTS.iter().filter(|client| only.is_none_or(|text| client.name.contains(text))) {
        let home = root.join(client.name.replace(' ', "-"));
        match client.install(&home) {
            Err(error) => tally.absent.push(format!("{}: {error:#}", client.name)),
            Ok(program) => {
                for version in client.versions {
                    client.run(&program, &home, daemon.socket()?, version, &mut tally)?;
                }
            }
        }
    }
    drop(daemon);
    let _ = fs::remove_dir_all(root.join("run"));
    Ok(tally)
}

impl Client {
    /// Installs its packages into `home` and gives the program that runs its script.
    fn install(&self, home: &Path) -> Result<PathBuf> {
        let program = match self.runtime {
            Runtime::Python(version) => python(version)?,
            Runtime::Node => found("node").context("node is not installed")?,
            Runtime::DockerCommand => {
                found("docker").context("the docker command is not installed")?;
                PathBuf::from("sh")
            }
        };
        let done = home.join(".installed");
        if self.packages.is_empty() || done.exists() {
            return Ok(program);
        }
        fs::create_dir_all(home).with_context(|| format!("making {}", home.display()))?;
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

    fn run(&self, program: &Path, home: &Path, socket: &Path, version: &str, tally: &mut Tally) -> Result<()> {
        let script = cargo::root().join("fixtures/clients").join(self.script);
        let told = Command::new(program)
            .arg(script)
            .arg(socket)
            .arg(version)
            .env("PYTHONPATH", home)
            .env("NODE_PATH", home.join("node_modules"))
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("running {}", self.name))?;
        let acts = u32::try_from(String::from_utf8_lossy(&told.stdout).lines().count()).unwrap_or(u32::MAX);
        tally.passed += acts;
        if told.status.success() && acts > 0 {
            println!("{} at {version}: {acts} passed", self.name);
        } else {
            tally.failed += 1;
            println!(
                "{} at {version}: FAILED after {acts}\n{}{}",
                self.name,
                String::from_utf8_lossy(&told.stdout),
                String::from_utf8_lossy(&told.stderr)
            );
        }
        Ok(())
    }
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
