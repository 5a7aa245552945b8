//! The file with the daemon's pid: there while it runs, and no second daemon beside it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// A written pid file; gone when this goes.
#[derive(Debug)]
pub(crate) struct Pidfile(PathBuf);

impl Pidfile {
    pub(crate) fn write(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(pid) if is_daemon(pid.trim()) => {
                bail!("pid file found, ensure drydockd is not running or delete {}", path.display())
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("reading {}", path.display()));
            }
            _ => {}
        }
        fs::write(path, std::process::id().to_string()).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

/// Whether a process of this number runs this program: numbers are used again.
fn is_daemon(pid: &str) -> bool {
    let ours = std::env::current_exe();
    pid.parse::<u32>().is_ok_and(|pid| pid != std::process::id())
        && ours.is_ok_and(|ours| {
            fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|theirs| theirs.file_name() == ours.file_name())
        })
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
