//! The same work without a daemon: what the machine itself costs in this hour.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use super::{
    images::{LARGE, drain, layer_archive},
    streams::{BULK, PINGS},
};
use crate::cargo;

/// One life without a daemon: five new namespaces, a mounted /proc, `true`, and all of it gone again.
pub(super) fn life() -> Result<f64> {
    const LIVES: u32 = 10;
    let began = Instant::now();
    for _ in 0..LIVES {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--mount-proc", "true"]);
        if !unshare.status().context("running unshare")?.success() {
            bail!("{unshare:?} failed");
        }
    }
    Ok(began.elapsed().as_secs_f64() * 1e3 / f64::from(LIVES))
}

/// `tar -x` of the layers, and their digests.
pub(super) fn extract(layers: usize) -> Result<f64> {
    let folder = Folder::new("extract")?;
    let archives = (0..layers).map(|layer| layer_archive(layer, 20, LARGE / layers)).collect::<Result<Vec<_>>>()?;
    let began = Instant::now();
    for archive in &archives {
        feed(Command::new("tar").arg("-x").arg("-C").arg(folder.path()), archive)?;
        feed(&mut Command::new("sha256sum"), archive)?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// `tar -c` of the unpacked layers.
pub(super) fn archive(layers: usize) -> Result<f64> {
    let folder = Folder::new("archive")?;
    for layer in 0..layers {
        let home = folder.path().join(layer.to_string());
        fs::create_dir(&home)?;
        feed(Command::new("tar").arg("-x").arg("-C").arg(&home), &layer_archive(layer, 20, LARGE / layers)?)?;
    }
    tar(folder.path())
}

/// `tar -c` of a folder: how long it takes, in milliseconds.
pub(super) fn tar(folder: &Path) -> Result<f64> {
    let began = Instant::now();
    let mut child = Command::new("tar")
        .args(["-c", "-C"])
        .arg(folder)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .context("running tar")?;
    drain(child.stdout.take().context("tar has no output")?)?;
    child.wait()?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// `rm -rf` of 10,000 files.
pub(super) fn remove_tree() -> Result<f64> {
    let folder = Folder::new("remove")?;
    feed(Command::new("tar").arg("-x").arg("-C").arg(folder.path()), &layer_archive(0, 10_000, 10_000_000)?)?;
    let began = Instant::now();
    Command::new("rm").arg("-rf").arg(folder.path()).status().context("running rm")?;
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Bytes through a pipe and a socket, as an attached client gets them.
pub(super) fn pipe() -> Result<f64> {
    let (read, mut write) = std::io::pipe()?;
    let (mut near, far) = std::os::unix::net::UnixStream::pair()?;
    let began = Instant::now();
    let writer = thread::spawn(move || {
        let block = vec![b'x'; 64 * 1024];
        (0..BULK / block.len()).try_for_each(|_| write.write_all(&block))
    });
    let relay = thread::spawn(move || -> std::io::Result<()> {
        let mut read = read;
        let mut block = vec![0; 64 * 1024];
        loop {
            match read.read(&mut block)? {
                0 => return Ok(()),
                count => near.write_all(&block[..count])?,
            }
        }
    });
    let total = drain(far)?;
    writer.join().expect("the writer does not panic")?;
    relay.join().expect("the relay does not panic")?;
    Ok(total as f64 / 1e6 / began.elapsed().as_secs_f64())
}

/// A byte to a thread and back.
pub(super) fn ping_pong() -> Result<f64> {
    let (mut near, mut far) = std::os::unix::net::UnixStream::pair()?;
    let echo = thread::spawn(move || -> std::io::Result<()> {
        let mut byte = [0];
        while far.read(&mut byte)? == 1 {
            far.write_all(&byte)?;
        }
        Ok(())
    });
    let began = Instant::now();
    let mut byte = [b'x'];
    for _ in 0..PINGS {
        near.write_all(&byte)?;
        near.read_exact(&mut byte)?;
    }
    let time = began.elapsed();
    drop(near);
    echo.join().expect("the echo does not panic")?;
    Ok(time.as_secs_f64() * 1e3 / PINGS as f64)
}

fn feed(command: &mut Command, input: &[u8]) -> Result<()> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().with_context(|| format!("running {command:?}"))?;
    child.stdin.take().context("a child has no input")?.write_all(input)?;
    if child.wait()?.success() { Ok(()) } else { bail!("{command:?} failed") }
}

/// A folder on the disk of the data roots, removed when it goes.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Result<Self> {
        let path = cargo::target().join("bench").join(format!("floor-{name}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
