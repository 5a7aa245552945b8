//! After a shim that died: nothing of its container may be left.

use crate::cgroup::Cgroup;
use drydock_shim_protocol::Failure;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longer than any kill takes; a process that does not die by then hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// Why something was left.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum CleanupError {
    #[error("finding the cgroup")]
    Find(#[from] Failure),
    #[error("reading the cgroup")]
    Read(#[from] io::Error),
    #[error("processes {0:?} do not die")]
    Processes(Vec<u32>),
    #[error("a cgroup stays busy")]
    Busy,
}

/// Kills all processes of the container `id` and removes its cgroups. Its mounts were its processes' alone, and ended
/// with them. Safe at any point of a life, and when there is nothing.
///
/// # Errors
/// What is left, and why.
pub fn cleanup(id: &str, cgroup_parent: &str) -> Result<(), CleanupError> {
    let mut cgroup = Cgroup::find(id, cgroup_parent)?;
    let deadline = Instant::now() + PATIENCE;
    kill_all(&cgroup, deadline)?;
    while !cgroup.remove() {
        if Instant::now() > deadline {
            return Err(CleanupError::Busy);
        }
        sleep(PAUSE);
    }
    Ok(())
}

fn kill_all(cgroup: &Cgroup, deadline: Instant) -> Result<(), CleanupError> {
    loop {
        let processes = cgroup.processes()?;
        if processes.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(CleanupError::Processes(processes));
        }
        kill(cgroup, &processes);
        sleep(PAUSE);
    }
}

/// Kills what is in a cgroup now. More may be made meanwhile by those that were not killed yet: ask again.
pub fn kill(cgroup: &Cgroup, processes: &[u32]) {
    for pid in processes.iter().filter_map(|pid| Pid::from_raw(*pid as i32)) {
        // A descriptor, lest the number be another's by now: the cgroup is asked once more while we hold it.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let still = cgroup.processes().is_ok_and(|now| now.contains(&(pid.as_raw_nonzero().get() as u32)));
        if still {
            let _ = crate::sys::send_signal(process, libc::SIGKILL); // It died by itself.
        }
    }
    let _ = cgroup.thaw(); // A frozen process does not die; without a freezer none is frozen.
}
