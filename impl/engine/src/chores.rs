//! Work that clients need not wait for, but that must be finished before the daemon ends: teardown after exits and
//! removals.

use std::future::Future;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Counts what is still to be done.
pub(crate) struct Chores(watch::Sender<usize>);

impl Default for Chores {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

/// One chore, counted until it is dropped.
struct Chore(watch::Sender<usize>);

impl Drop for Chore {
    fn drop(&mut self) {
        self.0.send_modify(|left| *left -= 1);
    }
}

impl Chores {
    /// Does `work` on the runtime.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.send_modify(|left| *left += 1);
        let chore = Chore(self.0.clone());
        tokio::spawn(async move {
            let _chore = chore;
            work.await
        })
    }

    /// Until nothing is left to be done.
    pub(crate) async fn finished(&self) {
        // The sender is ours: it cannot be closed.
        let _ = self.0.subscribe().wait_for(|left| *left == 0).await;
    }
}

/// Runs what blocks (mounts, files, netlink, `ps`) off the threads that serve clients.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The runtime shuts down only after the engine did; what is left is a panic, which goes on here.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chores_are_finished_when_the_last_one_is() {
        let chores = Chores::default();
        chores.finished().await;
        let (go, gate) = tokio::sync::oneshot::channel::<()>();
        let chore = chores.spawn(async move { drop(gate.await) });
        assert_eq!(*chores.0.borrow(), 1);
        go.send(()).unwrap();
        chores.finished().await;
        chore.await.unwrap();
    }
}
