//! Freezing and thawing.

use super::{Cgroup, Directory};
use std::fs;
use std::io::{self, ErrorKind};
use std::thread::sleep;
use std::time::Duration;

/// The kernel freezes within microseconds, but for a process in the middle of something that cannot be interrupted.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(2);

impl Cgroup {
    /// Freezes all processes in it; returns when all are frozen. On failure none is.
    ///
    /// # Errors
    /// `Unsupported` without a freezer; `TimedOut` when a process does not freeze within a second.
    pub fn freeze(&self) -> io::Result<()> {
        for _ in 0..TRIES {
            // Written each time: v1 forgets processes that were just being made.
            self.set(true)?;
            if self.is_frozen()? {
                return Ok(());
            }
            sleep(PAUSE);
        }
        self.set(false)?;
        Err(ErrorKind::TimedOut.into())
    }

    /// Thaws them.
    ///
    /// # Errors
    /// `Unsupported` without a freezer.
    pub fn thaw(&self) -> io::Result<()> {
        self.set(false)
    }

    /// Whether all are frozen.
    ///
    /// # Errors
    /// `Unsupported` without a freezer.
    pub fn is_frozen(&self) -> io::Result<bool> {
        let (directory, v2) = self.freezer()?;
        if v2 {
            let events = fs::read_to_string(directory.path.join("cgroup.events"))?;
            return Ok(events.lines().any(|line| line == "frozen 1"));
        }
        Ok(fs::read_to_string(directory.path.join("freezer.state"))?.trim() == "FROZEN")
    }

    fn set(&self, frozen: bool) -> io::Result<()> {
        let (directory, v2) = self.freezer()?;
        match v2 {
            true => fs::write(directory.path.join("cgroup.freeze"), if frozen { "1" } else { "0" }),
            false => fs::write(directory.path.join("freezer.state"), if frozen { "FROZEN" } else { "THAWED" }),
        }
    }

    fn freezer(&self) -> io::Result<(&Directory, bool)> {
        let v1 = self.with("freezer").map(|directory| (directory, false));
        v1.or(self.v2().map(|directory| (directory, true))).ok_or(ErrorKind::Unsupported.into())
    }
}
