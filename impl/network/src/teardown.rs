//! What is taken down after the answer, on a thread of its own, and waited for when it matters.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

type Job = Box<dyn FnOnce() + Send>;

/// A queue of work. Each container has at most a few jobs in it, so it is as bounded as they are.
pub(crate) struct Teardown {
    shared: Arc<Shared>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    working: bool,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.working = true;
                drop(state);
                job();
                state = self.lock();
                state.working = false;
                self.changed.notify_all();
            } else if state.stopping {
                return;
            } else {
                state = self.wait(state);
            }
        }
    }
}

impl Teardown {
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let worker = thread::Builder::new().name("net-teardown".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.work()
        })?;
        Ok(Self { shared, worker: Mutex::new(Some(worker)) })
    }

    /// Does it later; at once where the worker is gone.
    pub(crate) fn later(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        if state.stopping {
            drop(state);
            return job();
        }
        state.jobs.push_back(Box::new(job));
        self.shared.changed.notify_all();
    }

    /// Waits until nothing is left of what was queued until now. `false`: there was nothing.
    pub(crate) fn settle(&self) -> bool {
        let mut state = self.shared.lock();
        let busy = state.working || !state.jobs.is_empty();
        while state.working || !state.jobs.is_empty() {
            state = self.shared.wait(state);
        }
        busy
    }

    /// Does all that is queued, and no more.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            let _ = worker.join();
        }
    }
}

impl Drop for Teardown {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Teardown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Teardown").field("jobs", &self.shared.lock().jobs.len()).finish_non_exhaustive()
    }
}
