//! Lives of containers on the real stores, a real shim and the kernel.

mod support;

use drydock_engine::{CreateRules, Exit, Remove, Start, StartFailure, State, Target};
use std::path::PathBuf;
use support::{ParentCgroup, create, engine};

fn entries(dir: PathBuf) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_is_told_and_a_removal_leaves_nothing() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((engine, image)) = engine(dir.path()).await else { return };
    let id = engine.create(create(&image, "failing")).await.unwrap().id;
    let start = Start { target: id.into(), host_config: None, rules: CreateRules::default() };
    let Err(drydock_engine::Error::Start(StartFailure::Run(_))) = engine.start(start).await else { panic!("started") };
    let inspection = engine.inspect(&Target::from(id)).unwrap();
    assert!(
        matches!(&inspection.snapshot.state, State::Exited(exited) if matches!(exited.how, Exit::NotStarted { .. }))
    );
    engine.remove(Remove { target: id.into(), force: false, volumes: true }).await.unwrap();
    engine.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
    assert!(engine.inspect(&Target::from(id)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_refused_and_what_was_made_is_there_after_a_restart() {
    let _cgroup = ParentCgroup;
    let dir = tempfile::tempdir().unwrap();
    let Some((first, image)) = engine(dir.path()).await else { return };
    let id = first.create(create(&image, "kept")).await.unwrap().id;
    let taken = first.create(create(&image, "kept")).await.unwrap_err();
    assert!(matches!(taken, drydock_engine::Error::NameTaken { by, .. } if by == id));
    assert_eq!(entries(dir.path().join("containers")), 1);
    first.shutdown().await;
    drop(first);
    let Some((second, _)) = engine(dir.path()).await else { return };
    let snapshot = second.inspect(&Target::new("kept", drydock_engine::Lookup::NameFirst)).unwrap().snapshot;
    assert_eq!((snapshot.id, &snapshot.state), (id, &State::Created));
    second.remove(Remove { target: id.into(), force: false, volumes: false }).await.unwrap();
    second.shutdown().await;
    assert_eq!(entries(dir.path().join("containers")), 0);
}
