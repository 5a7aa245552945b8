//! Ends a run early and in order: what it made is still removed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// Set when the run is to end.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that only the run itself sets.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that SIGINT, SIGTERM and SIGHUP set. A second signal ends the process at once.
    ///
    /// They are caught, never blocked: programs that the suite starts would inherit that, and outlive their time.
    pub fn on_signals() -> Self {
        let interrupt = Self::default();
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            let set = interrupt.clone();
            thread::spawn(move || {
                for signal in signals.forever() {
                    if set.0.swap(true, Ordering::Relaxed) {
                        std::process::exit(128 + signal);
                    }
                    eprintln!("\nending: removing what this run made (once more to leave it)");
                }
            });
        }
        interrupt
    }

    /// Whether the run is to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends the run.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag itself.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_are_started_can_be_ended() {
        let _interrupt = Interrupt::on_signals();
        let told = std::process::Command::new("cat").arg("/proc/self/status").output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let mask = told.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
        let blocked = u64::from_str_radix(mask, 16).unwrap();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            assert_eq!(blocked >> (signal - 1) & 1, 0, "{told}");
        }
    }
}
