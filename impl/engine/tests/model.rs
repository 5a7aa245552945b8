//! One container's life against a model of it: whatever sequence of requests, state and answers are the model's.

mod stage;
mod support;

use drydock_core::{Id, NameGrammar};
use drydock_engine::{
    CreateRules, Engine, Error, Kill, Remove, Rename, Restart, Signal, Start, Started, State, Stop, Stopped, Target,
};
use proptest::prelude::*;
use stage::{create_running, entries};
use std::time::Duration;
use support::{ParentCgroup, engine};

/// Where the model's container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Created,
    Running,
    Paused,
    Exited,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Start,
    Stop,
    Kill,
    Restart,
    Pause,
    Unpause,
    Rename,
    Remove { force: bool },
}

/// What a request is answered, as far as clients tell answers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    /// It was so already.
    Already,
    Paused,
    NotPaused,
    NotRunning,
    StillRuns,
}

/// What the model answers, and where its container is then; `None`: gone.
fn model(place: Place, ask: Ask) -> (Answer, Option<Place>) {
    use Answer::{Already, Done, NotPaused, NotRunning, StillRuns};
    use Place::{Created, Exited, Running};
    match (ask, place) {
        (Ask::Rename, place) => (Done, Some(place)),
        (Ask::Start, Created | Exited) => (Done, Some(Running)),
        (Ask::Start, Running) => (Already, Some(Running)),
        (Ask::Restart, Created | Exited | Running) => (Done, Some(Running)),
        (Ask::Stop, Running) => (Done, Some(Exited)),
        (Ask::Stop, Created | Exited) => (Already, Some(place)),
        (Ask::Kill, Running) => (Done, Some(Exited)),
        (Ask::Kill, Created | Exited) => (Done, Some(place)),
        (Ask::Pause, Running) => (Done, Some(Place::Paused)),
        (Ask::Pause, Place::Paused) => (Already, Some(place)),
        (Ask::Pause, Created | Exited) => (NotRunning, Some(place)),
        (Ask::Unpause, Place::Paused) => (Done, Some(Running)),
        (Ask::Unpause, Created | Exited | Running) => (NotPaused, Some(place)),
        (Ask::Remove { force: false }, Running | Place::Paused) => (StillRuns, Some(place)),
        (Ask::Remove { .. }, Created | Exited) | (Ask::Remove { force: true }, Running) => (Done, None),
        (Ask::Start | Ask::Stop | Ask::Kill | Ask::Restart | Ask::Remove { force: true }, Place::Paused) => {
            (Answer::Paused, Some(place))
        }
    }
}

async fn ask(engine: &Engine, id: Id, ask: Ask, nth: usize) -> Result<Answer, Error> {
    let target = || Target::from(id);
    let at_once = Some(Duration::ZERO);
    match ask {
        Ask::Start => {
            let start = Start { target: target(), host_config: None, rules: CreateRules::default() };
            Ok(if engine.start(start).await? == Started::Now { Answer::Done } else { Answer::Already })
        }
        Ask::Stop => {
            let stopped = engine.stop(Stop { target: target(), grace: at_once }).await?;
            Ok(if stopped == Stopped::Now { Answer::Done } else { Answer::Already })
        }
        Ask::Kill => {
            let kill = Kill { target: target(), signal: Signal::KILL, must_run: true };
            engine.kill(kill).await.map(|()| Answer::Done)
        }
        Ask::Restart => engine.restart(Restart { target: target(), grace: at_once }).await.map(|()| Answer::Done),
        Ask::Pause => engine.pause(target()).await.map(|()| Answer::Done),
        Ask::Unpause => engine.unpause(target()).await.map(|()| Answer::Done),
        Ask::Rename => {
            let name_grammar = NameGrammar::LetterOrDigitFirst;
            let rename = Rename { target: target(), name: format!("name{nth}"), name_grammar };
            engine.rename(rename).await.map(|()| Answer::Done)
        }
        Ask::Remove { force } => {
            engine.remove(Remove { target: target(), force, volumes: true }).await.map(|()| Answer::Done)
        }
    }
}

fn told(result: Result<Answer, Error>) -> Answer {
    match result {
        Ok(answer) => answer,
        Err(Error::Paused(_)) => Answer::Paused,
        Err(Error::AlreadyPaused(_)) => Answer::Already,
        Err(Error::NotPaused(_)) => Answer::NotPaused,
        Err(Error::NotRunning(_)) => Answer::NotRunning,
        Err(Error::RunningNotRemoved(_)) => Answer::StillRuns,
        Err(other) => panic!("{other:?}"),
    }
}

fn place(state: &State) -> Place {
    match state {
        State::Created => Place::Created,
        State::Running(_) => Place::Running,
        State::Paused(_) => Place::Paused,
        State::Exited(_) => Place::Exited,
        other => panic!("{other:?}"),
    }
}

/// Asks one thing after the other; a container that is gone is made anew.
async fn live(asks: &[Ask]) {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let mut id = engine.create(create_running(&image, "life")).await.unwrap().id;
    let mut at = Place::Created;
    for (nth, asked) in asks.iter().copied().enumerate() {
        let (expected, then) = model(at, asked);
        assert_eq!(
            told(ask(&engine, id, asked, nth).await),
            expected,
            "{asked:?} at {at:?}, request {nth} of {asks:?}"
        );
        match then {
            Some(then) => {
                let state = engine.inspect(&Target::from(id)).unwrap().snapshot.state.clone();
                assert_eq!(place(&state), then, "after {asked:?} at {at:?}, request {nth} of {asks:?}");
                at = then;
            }
            None => {
                assert!(engine.inspect(&Target::from(id)).is_err());
                id = engine.create(create_running(&image, &format!("again{nth}"))).await.unwrap().id;
                at = Place::Created;
            }
        }
    }
    if at == Place::Paused {
        engine.unpause(id.into()).await.unwrap();
    }
    engine.remove(Remove { target: id.into(), force: true, volumes: true }).await.unwrap();
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}

fn any_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        3 => Just(Ask::Start),
        2 => Just(Ask::Stop),
        1 => Just(Ask::Kill),
        1 => Just(Ask::Restart),
        2 => Just(Ask::Pause),
        2 => Just(Ask::Unpause),
        1 => Just(Ask::Rename),
        1 => any::<bool>().prop_map(|force| Ask::Remove { force }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn a_container_does_what_its_model_does(asks in prop::collection::vec(any_ask(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(live(&asks));
    }
}
