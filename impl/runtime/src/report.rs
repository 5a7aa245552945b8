//! How a child tells its parent that it became the program, or why it could not.
//!
//! A pipe that closes itself at the exec: `+` when nothing but the exec is left, or the failure as JSON (after a `+`,
//! when it is the exec that failed). An end without either: the child was killed on the way.

use crate::step::Step;
use drydock_shim_protocol::Failure;
use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

const READY: u8 = b'+';

pub(crate) struct Reporter(OwnedFd);

pub(crate) struct Report(OwnedFd);

pub(crate) fn channel() -> Result<(Reporter, Report), Failure> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).step("report", "pipe")?;
    Ok((Reporter(write), Report(read)))
}

impl Reporter {
    /// An error here means that the parent is gone: then the child must not go on.
    pub(crate) fn ready(&self) -> Result<(), Failure> {
        retry_on_intr(|| rustix::io::write(&self.0, &[READY])).map(drop).step("report", "writing")
    }

    pub(crate) fn failed(self, failure: &Failure) {
        // Nobody is left to tell if this fails; the parent sees the end.
        let _ = File::from(self.0).write_all(&serde_json::to_vec(failure).unwrap_or_default());
    }
}

impl Report {
    /// Waits for the child.
    pub(crate) fn wait(self) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        File::from(self.0).read_to_end(&mut bytes).step("report", "reading")?;
        let (ready, failure) = match bytes.split_first() {
            Some((&READY, failure)) => (true, failure),
            _ => (false, &bytes[..]),
        };
        if ready && failure.is_empty() {
            return Ok(());
        }
        let cut_off = |_| Failure::Step { step: "start".into(), errno: 0, detail: "killed on the way".into() };
        Err(serde_json::from_slice(failure).unwrap_or_else(cut_off))
    }
}
