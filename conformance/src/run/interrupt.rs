//! Ends a run early and in order: what it made is still removed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::sys::signal::{SigSet, Signal};

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
    /// Call it before any thread is started: the threads have to inherit that these signals wait.
    pub fn on_signals() -> Self {
        let interrupt = Self::default();
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        if signals.thread_block().is_ok() {
            let set = interrupt.clone();
            thread::spawn(move || {
                while let Ok(signal) = signals.wait() {
                    if set.0.swap(true, Ordering::Relaxed) {
                        std::process::exit(128 + signal as i32);
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
