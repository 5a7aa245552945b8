//! Hearing a shim's events, for as long as the run goes on.

use super::ShimEvents;
use crate::Engine;
use crate::container::{Container, Phase};
use crate::engine::Inner;
use crate::state::Exit;
use drydock_core::Timestamp;
use drydock_shim_protocol::{Event, Exit as ShimExit};
use std::sync::{Arc, Weak};
use tokio::task::AbortHandle;

impl From<ShimExit> for Exit {
    fn from(exit: ShimExit) -> Self {
        match exit {
            ShimExit::Code(code) => Self::Code(code),
            ShimExit::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// Hears the events of the run number `run` of a container until it ends. A shim that is gone without a word ended it,
/// too, and nobody knows how.
pub(crate) fn supervise(engine: &Engine, container: &Arc<Container>, run: u64, events: ShimEvents) -> AbortHandle {
    tokio::spawn(hear(Arc::downgrade(&engine.0), Arc::clone(container), run, events)).abort_handle()
}

async fn hear(engine: Weak<Inner>, container: Arc<Container>, run: u64, mut events: ShimEvents) {
    loop {
        let event = events.recv().await;
        let Some(engine) = engine.upgrade().map(Engine) else { return };
        match event {
            Some(Event::Exited { exit, at }) => return engine.finish(&container, run, exit.into(), at).await,
            None => return engine.finish(&container, run, Exit::Unknown, Timestamp::now()).await,
            Some(Event::OutOfMemory { .. }) => engine.note_oom(&container).await,
            Some(Event::ExecExited { exec, exit, .. }) => engine.exec_exited(&container, &exec, exit.into()).await,
            Some(Event::StreamEnded { .. }) => {}
        }
    }
}

impl Engine {
    async fn note_oom(&self, container: &Container) {
        let Ok(mut body) = container.lock().await else { return };
        if let Phase::Running(live) | Phase::Paused(live) = &mut body.phase {
            live.facts.oom_killed = true;
        }
        container.publish(&body);
        self.record_later(container, &body);
    }
}
