//! What happened: told to every listener once, in order.
//!
//! A ring keeps the last [`RING`] events for those who ask for the past, and tells them [`REMEMBERED`] at most. Each listener has a queue of [`QUEUE`]; one
//! that does not read until it is full is dropped, never waited for.

use crate::Engine;
use crate::containers::Signal;
use drydock_core::{Id, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

/// Events kept for `since`: enough that the last [`REMEMBERED`] that a daemon told are among them.
const RING: usize = 1024;

/// Events that are told of the past, as the daemons had it.
const REMEMBERED: usize = 64;

/// Events that a listener may be behind. A thousand containers that die at once are far below; at a pointer each it
/// costs a listener 64 KB at worst.
const QUEUE: usize = 8192;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// What.
    pub action: Action,
    /// To which container (its id) or image (id or reference).
    pub id: String,
    /// The container's image as the client named it; empty for images.
    pub from: String,
    /// The container's image; `None` for images.
    pub image: Option<Id>,
}

/// What happened. Views leave out what their daemon did not tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Create,
    /// A first process was begun, or could not be executed.
    Start,
    Die(Death),
    /// A signal was sent on a client's behalf; after KILL, `Die` came first.
    Kill(Signal),
    Stop,
    Restart,
    Pause,
    Unpause,
    Destroy,
    Export,
    /// An image was made of it; no daemon told it.
    Commit,
    /// It has another name; no daemon told it.
    Rename,
    Oom,
    ExecCreate {
        command: String,
    },
    ExecStart {
        command: String,
    },
    Pull,
    Push,
    Import,
    Tag,
    Untag,
    Delete,
}

/// What died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Death {
    /// A first process that ran.
    Ran,
    /// A start that failed when its program was to be executed; `Start` was told before.
    NotExecuted,
    /// A start that failed before.
    NotPrepared,
}

impl Action {
    /// The word in answers and filters.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Create => "create".into(),
            Self::Start => "start".into(),
            Self::Die(_) => "die".into(),
            Self::Kill(_) => "kill".into(),
            Self::Stop => "stop".into(),
            Self::Restart => "restart".into(),
            Self::Pause => "pause".into(),
            Self::Unpause => "unpause".into(),
            Self::Destroy => "destroy".into(),
            Self::Export => "export".into(),
            Self::Commit => "commit".into(),
            Self::Rename => "rename".into(),
            Self::Oom => "oom".into(),
            Self::ExecCreate { command } => format!("exec_create: {command}"),
            Self::ExecStart { command } => format!("exec_start: {command}"),
            Self::Pull => "pull".into(),
            Self::Push => "push".into(),
            Self::Import => "import".into(),
            Self::Tag => "tag".into(),
            Self::Untag => "untag".into(),
            Self::Delete => "delete".into(),
        }
    }
}

/// From when to when. What else a listener wants (words, images, containers) its view filters: daemons differed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events {
    /// Kept events since this time go first; `None`: none of them.
    pub since: Option<Timestamp>,
    /// The stream ends at this time; `None`: never. Kept events of its second are told.
    pub until: Option<Timestamp>,
}

/// Events on their way to a listener.
#[derive(Debug)]
pub struct EventStream {
    past: VecDeque<Arc<Event>>,
    coming: mpsc::Receiver<Arc<Event>>,
    until: Option<(Timestamp, std::pin::Pin<Box<Sleep>>)>,
}

impl EventStream {
    /// The next one. `None`: `until` came, the engine shuts down, or this listener was so far behind that it was
    /// dropped.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Self::next`], for a body that is polled.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Event>>> {
        let next = match self.past.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None => self.coming.poll_recv(cx),
        };
        match (next, &mut self.until) {
            // Clients know whole seconds: "until now" means with what has happened in this one.
            (Poll::Ready(Some(event)), Some((until, _))) if event.time.unix_seconds() > until.unix_seconds() => {
                Poll::Ready(None)
            }
            (Poll::Pending, Some((_, sleep))) => sleep.as_mut().poll(cx).map(|()| None),
            (next, _) => next,
        }
    }
}

/// Where events are told and heard.
#[derive(Default)]
pub(crate) struct Board(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    ring: VecDeque<Arc<Event>>,
    listeners: Vec<mpsc::Sender<Arc<Event>>>,
    closed: bool,
}

impl Board {
    /// Tells all listeners. The lock gives events one order for everybody; nothing waits under it.
    pub(crate) fn tell(&self, event: Event) {
        let event = Arc::new(event);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.listeners.retain(|listener| listener.try_send(Arc::clone(&event)).is_ok());
        if inner.ring.len() == RING {
            inner.ring.pop_front();
        }
        inner.ring.push_back(event);
    }

    fn listen(&self, command: Events, told: impl Fn(&Action) -> bool) -> EventStream {
        let (sender, coming) = mpsc::channel(QUEUE);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let past = match command.since {
            None => VecDeque::new(),
            Some(since) => {
                let mut past = inner.ring.iter().filter(|event| told(&event.action)).cloned().collect::<VecDeque<_>>();
                past.drain(..past.len().saturating_sub(REMEMBERED));
                past.retain(|event| event.time >= since);
                past
            }
        };
        if !inner.closed {
            inner.listeners.push(sender);
        }
        drop(inner);
        let until = command.until.map(|until| {
            let left = until.since(Timestamp::now());
            (until, Box::pin(tokio::time::sleep_until(Instant::now() + left)))
        });
        EventStream { past, coming, until }
    }

    pub(crate) fn listeners(&self) -> usize {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.listeners.retain(|listener| !listener.is_closed());
        inner.listeners.len()
    }

    /// Ends all streams, after what was told.
    pub(crate) fn close(&self) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.closed = true;
        inner.listeners.clear();
    }
}

impl Engine {
    /// Listens. Nothing is lost between what is replayed and what comes. Only events that are `told` count as past;
    /// those to come are all there.
    ///
    /// # Panics
    /// With `until`, outside a tokio runtime.
    #[must_use]
    pub fn events(&self, command: Events, told: impl Fn(&Action) -> bool) -> EventStream {
        self.0.board.listen(command, told)
    }

    /// Tells what happened to an image, which others do; the engine tells what it does itself.
    pub fn tell_of_image(&self, action: Action, image: impl Into<String>) {
        self.0.board.tell(Event { time: Timestamp::now(), action, id: image.into(), from: String::new(), image: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: i64) -> Event {
        Event {
            time: Timestamp::from_unix(number, 0).unwrap(),
            action: Action::Create,
            id: number.to_string(),
            from: String::new(),
            image: None,
        }
    }

    #[tokio::test]
    async fn every_listener_hears_every_event_once_and_in_order() {
        let board = Board::default();
        let mut listeners: Vec<_> = (0..100).map(|_| board.listen(Events::default(), |_| true)).collect();
        for number in 0..2000 {
            board.tell(event(number));
        }
        board.close();
        for listener in &mut listeners {
            for number in 0..2000 {
                assert_eq!(listener.next().await.unwrap().id, number.to_string());
            }
            assert!(listener.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_listener_that_stops_reading_is_dropped_and_the_others_are_not() {
        let board = Board::default();
        let lazy = board.listen(Events::default(), |_| true);
        let mut eager = board.listen(Events::default(), |_| true);
        for number in 0..=i64::try_from(QUEUE).unwrap() {
            board.tell(event(number));
            assert_eq!(eager.next().await.unwrap().id, number.to_string());
        }
        assert_eq!(board.listeners(), 1);
        drop(lazy);
    }

    #[tokio::test]
    async fn kept_events_go_before_those_to_come_and_none_after_until() {
        let board = Board::default();
        for number in 0..5 {
            board.tell(event(number));
        }
        let at = |seconds| Timestamp::from_unix(seconds, 0);
        let mut stream = board.listen(Events { since: at(2), until: at(3) }, |_| true);
        assert_eq!(stream.next().await.unwrap().id, "2");
        assert_eq!(stream.next().await.unwrap().id, "3");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn untils_second_is_told_to_its_end() {
        let board = Board::default();
        let in_the_third = Timestamp::from_unix(3, 900_000_000).unwrap();
        board.tell(Event { time: in_the_third, ..event(3) });
        board.tell(event(4));
        let at = |seconds| Timestamp::from_unix(seconds, 0);
        let mut stream = board.listen(Events { since: at(2), until: at(3) }, |_| true);
        assert_eq!(stream.next().await.unwrap().id, "3");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn the_last_that_were_told_are_remembered() {
        let board = Board::default();
        for number in 0..200 {
            board.tell(event(number));
            board.tell(Event { action: Action::Commit, ..event(number) });
        }
        let since = Timestamp::from_unix(0, 0);
        let stream = board.listen(Events { since, until: None }, |action| *action != Action::Commit);
        let ids: Vec<String> = stream.past.iter().map(|event| event.id.clone()).collect();
        assert_eq!(ids, (200 - REMEMBERED..200).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}
