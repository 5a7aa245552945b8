//! What a run against the reference daemon needs built: the daemon, its shim and the suite's own image.
//!
//! The shim and the image's programs are linked statically and without unwinding, in a target directory of their own:
//! other flags in the shared one would make every cargo command build everything anew.

use crate::cargo;
use crate::image::{self, Image, Program};
use anyhow::{Context, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Paths of everything built, absolute.
pub(crate) struct Artifacts {
    /// `drydockd`.
    pub(crate) daemon: PathBuf,
    /// `drydock-shim`, static.
    pub(crate) shim: PathBuf,
    /// The suite's image.
    pub(crate) image: Image,
}

/// Builds what is not up to date, says which, and gives the paths.
pub(crate) fn all(program: Program) -> Result<Artifacts> {
    Ok(Artifacts { daemon: daemon()?, shim: shim()?, image: image::build(program)? })
}

/// `drydockd`, optimised.
pub(crate) fn daemon() -> Result<PathBuf> {
    cargo::run(cargo::command().args(["build", "--quiet", "--release", "--package", "drydockd"]))
        .context("building drydockd")?;
    Ok(cargo::target().join("release/drydockd"))
}

/// The program that is a container's parent.
pub(crate) fn shim() -> Result<PathBuf> {
    let directory = static_build(&["drydock-shim"])?;
    Ok(directory.join("drydock-shim"))
}

/// Builds packages as static programs; gives the directory that holds them.
pub(crate) fn static_build(packages: &[&str]) -> Result<PathBuf> {
    let target = cargo::target().join("static");
    let host = host()?;
    let mut build = cargo::command();
    build.args(["build", "--quiet", "--profile", "static", "--target", host, "--target-dir"]).arg(&target);
    for package in packages {
        build.args(["--package", package]);
    }
    // Paths of this machine stay out of the programs, so that they are the same wherever they are built.
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let flags = [
        "-Ctarget-feature=+crt-static".to_owned(),
        "-Crelocation-model=static".to_owned(),
        format!("--remap-path-prefix={}=.", cargo::root().display()),
        format!("--remap-path-prefix={}=cargo", home.unwrap_or_default()),
    ];
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    cargo::run(&mut build).with_context(|| format!("building {}", packages.join(", ")))?;
    Ok(target.join(host).join("static"))
}

/// The toolchain's own target triple.
fn host() -> Result<&'static str> {
    static HOST: OnceLock<String> = OnceLock::new();
    if let Some(host) = HOST.get() {
        return Ok(host);
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told =
        Command::new(&rustc).arg("-vV").output().with_context(|| format!("running {}", Path::new(&rustc).display()))?;
    let text = String::from_utf8_lossy(&told.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(HOST.get_or_init(|| host.to_owned()))
}
