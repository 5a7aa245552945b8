//! What happened: told to every listener once, in order.

use crate::Engine;
use drydock_core::Timestamp;
use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What.
    pub action: Action,
    /// To which container (its id) or image (id or reference).
    pub id: String,
    /// The container's image as it was named, empty for images.
    pub from: String,
}

/// What happened. Views leave out what their daemon did not tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Start,
    Die,
    Kill,
    Stop,
    Restart,
    Pause,
    Unpause,
    Destroy,
    Export,
    Copy,
    Attach,
    Resize,
    Top,
    Commit,
    Rename,
    Oom,
    ExecCreate { command: String },
    ExecStart { command: String },
    Pull,
    Push,
    Import,
    Tag,
    Untag,
    Delete,
}

/// Which events, and from when to when.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Told events since this time go first; `None`: none of them.
    pub since: Option<Timestamp>,
    /// The stream ends at this time; `None`: never.
    pub until: Option<Timestamp>,
    /// Names of actions; empty: all. An exec's is compared without its command where `exact` is off.
    pub actions: Vec<String>,
    /// Image names, with or without tag.
    pub images: Vec<String>,
    /// Containers, as clients write them.
    pub containers: Vec<String>,
}

/// Events on their way to a listener.
#[derive(Debug)]
pub struct EventStream(tokio::sync::mpsc::Receiver<Arc<Event>>);

impl EventStream {
    /// The next one. `None`: `until` came, the engine shuts down, or this listener was so far behind that it was
    /// dropped.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        self.0.recv().await
    }

    /// As [`Self::next`], for a body that is polled.
    pub fn poll_next(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Arc<Event>>> {
        self.0.poll_recv(cx)
    }
}

impl Engine {
    /// Listens. Nothing is lost between what is replayed and what comes.
    #[must_use]
    pub fn events(&self, command: Events) -> EventStream {
        let _ = command;
        todo!()
    }

    /// Tells all listeners. For what happens to images, which others do; the engine tells what it does itself.
    pub fn tell(&self, action: Action, id: impl Into<String>, from: impl Into<String>) {
        let _ = (action, id.into(), from.into());
        todo!()
    }
}
