//! Requests that meet at one container: what each is answered, and what is there afterwards.

mod stage;
mod support;

use drydock_core::{Id, NameGrammar};
use drydock_engine::{
    CreateRules, Engine, Error, Lookup, Remove, Rename, Signal, Start, StartFailure, Started, State, Stop, Stopped,
    Target,
};
use stage::{create_running, entries};
use std::time::Duration;
use support::{ParentCgroup, engine};
use tokio::task::JoinSet;

fn start(id: Id) -> Start {
    Start { target: id.into(), host_config: None, rules: CreateRules::default() }
}

fn kill_at_once(id: Id) -> Stop {
    Stop { target: id.into(), grace: Some(Duration::ZERO) }
}

fn remove(id: Id, force: bool) -> Remove {
    Remove { target: id.into(), force, volumes: true }
}

fn state(engine: &Engine, id: Id) -> State {
    engine.inspect(&Target::from(id)).unwrap().snapshot.state.clone()
}

/// What `many` requests at once were answered.
async fn at_once<T, F>(many: usize, request: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut requests = JoinSet::new();
    for nth in 0..many {
        requests.spawn(request(nth));
    }
    requests.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_starts_at_once_one_starts_and_the_others_find_it_started() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "twice")).await.unwrap().id;
    let started = at_once(8, |_| {
        let engine = engine.clone();
        async move { engine.start(start(id)).await.unwrap() }
    })
    .await;
    assert_eq!(started.iter().filter(|started| **started == Started::Now).count(), 1, "{started:?}");
    assert!(matches!(state(&engine, id), State::Running(_)));
    engine.remove(remove(id, true)).await.unwrap();
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_removals_at_once_one_removes_and_the_others_find_nothing() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "gone")).await.unwrap().id;
    engine.start(start(id)).await.unwrap();
    let removed = at_once(8, |_| {
        let engine = engine.clone();
        async move { engine.remove(remove(id, true)).await }
    })
    .await;
    assert_eq!(removed.iter().filter(|removed| removed.is_ok()).count(), 1, "{removed:?}");
    let missing = |removed: &Result<(), Error>| matches!(removed, Ok(()) | Err(Error::NoSuchContainer(_)));
    assert!(removed.iter().all(missing), "{removed:?}");
    // Its name is free, and nothing of it is left.
    let again = engine.create(create_running(&image, "gone")).await.unwrap().id;
    engine.remove(remove(again, false)).await.unwrap();
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_waits_ends_with_the_stop_that_kills() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "patient")).await.unwrap().id;
    engine.start(start(id)).await.unwrap();
    // The first process of a PID namespace has no handler for TERM: it ignores it.
    let patient = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop(Stop { target: id.into(), grace: None }).await }
    });
    let killed = engine.stop(kill_at_once(id)).await.unwrap();
    let patient = patient.await.unwrap().unwrap();
    assert!([killed, patient].contains(&Stopped::Now));
    assert!(matches!(state(&engine, id), State::Exited(_)));
    engine.remove(remove(id, false)).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_during_a_stop_ends_both() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "stopping")).await.unwrap().id;
    engine.start(start(id)).await.unwrap();
    let stop = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop(Stop { target: id.into(), grace: None }).await }
    });
    engine.remove(remove(id, true)).await.unwrap();
    // It was over, or gone before it was looked for.
    assert!(matches!(stop.await.unwrap(), Ok(_) | Err(Error::NoSuchContainer(_))));
    assert!(engine.inspect(&Target::from(id)).is_err());
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_during_a_start_leaves_a_running_container_under_the_new_name() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "before")).await.unwrap().id;
    let starting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.start(start(id)).await }
    });
    let rename = Rename { target: id.into(), name: "after".into(), name_grammar: NameGrammar::LetterOrDigitFirst };
    engine.rename(rename).await.unwrap();
    assert_eq!(starting.await.unwrap().unwrap(), Started::Now);
    let found = engine.inspect(&Target::new("after", Lookup::NameFirst)).unwrap().snapshot;
    assert!(found.id == id && matches!(found.state, State::Running(_)));
    assert!(engine.inspect(&Target::new("before", Lookup::NameFirst)).is_err());
    engine.remove(remove(id, true)).await.unwrap();
    engine.shutdown().await;
}

/// Whatever a hundred clients ask of one container at once, each hears something, and nothing is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_clients_at_one_container_are_all_answered() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create_running(&image, "busy")).await.unwrap().id;
    let answers = at_once(100, |nth| {
        let engine = engine.clone();
        async move {
            match nth % 6 {
                0 | 1 => engine.start(start(id)).await.map(drop),
                2 => engine.stop(kill_at_once(id)).await.map(drop),
                3 => engine.pause(id.into()).await,
                4 => engine.unpause(id.into()).await,
                _ => {
                    engine.kill(drydock_engine::Kill { target: id.into(), signal: Signal::KILL, must_run: true }).await
                }
            }
        }
    })
    .await;
    let states = |error: &Error| {
        matches!(error, Error::Paused(_) | Error::NotPaused(_) | Error::AlreadyPaused(_) | Error::NotRunning(_))
    };
    assert!(answers.iter().all(|answer| answer.as_ref().err().is_none_or(states)), "{answers:?}");
    if matches!(state(&engine, id), State::Paused(_)) {
        engine.unpause(id.into()).await.unwrap();
    }
    engine.remove(remove(id, true)).await.unwrap();
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_network_that_waits_for_him() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let sharing = |name: &str, other: &str| {
        let mut create = create_running(&image, name);
        create.host_config.network_mode = format!("container:{other}");
        create
    };
    let mut ids = Vec::new();
    for (name, other) in [("alone", "alone"), ("one", "other"), ("other", "one")] {
        ids.push(engine.create(sharing(name, other)).await.unwrap().id);
    }
    let [alone, one, other] = ids[..] else { panic!("three were made") };
    let answers = at_once(16, |nth| {
        let engine = engine.clone();
        let id = [alone, one, other][nth % 3];
        async move { (id, engine.start(start(id)).await) }
    });
    let answers = tokio::time::timeout(PATIENCE, answers).await.expect("each start is answered");
    for (id, answer) in answers {
        let failure = answer.expect_err("there is no network to share");
        let expected = match failure {
            Error::Start(StartFailure::NetworkOfItsOwn(_)) => id == alone,
            Error::Start(StartFailure::NetworkTargetNotRunning(_)) => id != alone,
            _ => false,
        };
        assert!(expected, "{failure:?}");
    }
    for id in ids {
        tokio::time::timeout(PATIENCE, engine.remove(remove(id, true))).await.expect("a removal is answered").unwrap();
    }
    engine.shutdown().await;
}

/// What is not answered by then is not going to be.
const PATIENCE: Duration = Duration::from_secs(60);
