//! Hearing of processes that the kernel killed for lack of memory.

use super::Cgroup;
use rustix::event::{EventfdFlags, eventfd};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// Readable (v1) when memory ran out. The kernel also tells it of the cgroup's removal, so ask [`Self::kills`].
#[derive(Debug)]
pub struct OomWatch {
    /// v1 only; the kernel holds on to it as long as it is open.
    event: Option<OwnedFd>,
    /// Has a line `oom_kill N`.
    counter: PathBuf,
}

impl Cgroup {
    /// Watches it; `None` without a memory controller.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn watch_oom(&self) -> io::Result<Option<OomWatch>> {
        if let Some(directory) = self.with("memory") {
            let counter = directory.path.join("memory.oom_control");
            let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            let control = File::open(&counter)?;
            let line = format!("{} {}", event.as_raw_fd(), control.as_raw_fd());
            fs::write(directory.path.join("cgroup.event_control"), line)?;
            return Ok(Some(OomWatch { event: Some(event), counter }));
        }
        let counter = self.v2().map(|directory| directory.path.join("memory.events"));
        Ok(counter.filter(|counter| counter.exists()).map(|counter| OomWatch { event: None, counter }))
    }
}

impl OomWatch {
    /// What to poll for.
    #[must_use]
    pub fn event(&self) -> Option<BorrowedFd<'_>> {
        self.event.as_ref().map(AsFd::as_fd)
    }

    /// Takes note of the event and gives how many processes were killed so far.
    #[must_use]
    pub fn kills(&self) -> u64 {
        if let Some(event) = &self.event {
            let _ = rustix::io::read(event, &mut [0; 8]); // Nothing there: asked without an event.
        }
        let text = fs::read_to_string(&self.counter).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        count.unwrap_or_default()
    }
}
