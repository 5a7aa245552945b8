//! Lives of containers on the real stores, a real shim and the kernel.
//!
//! Needs root and the built `drydock-shim` beside the test's own directory; where either is missing, each test says so.

use drydock_core::NameGrammar;
use drydock_engine::{
    ContainerConfig, Create, CreateRules, Engine, Exit, HostConfig, InsideRules, LogConfig, Remove, RetryCounting,
    Settings, Start, StartFailure, State, Target,
};
use drydock_images::{Images, NewImage};
use drydock_layers::Layers;
use drydock_network::{Bridge, Config, Network};
use std::path::{Path, PathBuf};

/// An engine on a directory of its own, without a bridge; `None`, and a word on it, where the machine lacks something.
async fn engine(root: &Path) -> Option<(Engine, String)> {
    let shim = std::env::current_exe().ok()?.parent()?.parent()?.join("drydock-shim");
    if !nix::unistd::geteuid().is_root() || !shim.is_file() {
        eprintln!("skipped: needs root, and {}", shim.display());
        return None;
    }
    let layers = Layers::open(root, None).unwrap();
    let images = Images::open(root, layers).unwrap();
    // A file system of no program: starts get as far as the program.
    let image = images.create(&NewImage::default(), empty_archive().as_slice()).unwrap();
    let network = Network::open(Config {
        bridge: Bridge::None,
        iptables: false,
        ip_forward: false,
        ..Config::new(root.join("run"))
    });
    let settings = Settings {
        root: root.to_owned(),
        runtime_dir: root.join("run"),
        shim,
        log_config: LogConfig::default(),
        ulimits: Vec::new(),
        restart: true,
        keep_running: false,
        dns: Vec::new(),
        dns_search: Vec::new(),
        cgroup_parent: CGROUP.into(),
    };
    let engine = Engine::open(settings, images, network.unwrap()).await.unwrap();
    Some((engine, image.id.to_string()))
}

/// A tar archive of one directory.
/// The cgroup above the containers'.
const CGROUP: &str = "drydock-engine-test";

/// The daemon's cgroup outlives it; a test's does not. What another test still uses stays for that one.
struct ParentCgroup;

impl Drop for ParentCgroup {
    fn drop(&mut self) {
        for controller in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(controller.path().join(CGROUP));
        }
    }
}

fn empty_archive() -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..4].copy_from_slice(b"dir/");
    header[100..107].copy_from_slice(b"0000755");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(b"00000000000");
    header[136..147].copy_from_slice(b"00000000000");
    header[156] = b'5';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    [&header[..], &[0; 1024]].concat()
}

fn create(image: &str, name: &str) -> Create {
    Create {
        name: Some(name.into()),
        name_grammar: NameGrammar::LetterOrDigitFirst,
        config: ContainerConfig { image: image.into(), cmd: Some(vec!["nosuch".into()]), ..ContainerConfig::default() },
        host_config: HostConfig::default(),
        rules: CreateRules::default(),
        inside: InsideRules::default(),
        retry_counting: RetryCounting::default(),
    }
}

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
    assert!(matches!(&inspection.snapshot.state, State::Exited(exited) if matches!(exited.how, Exit::NotStarted(_))));
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
