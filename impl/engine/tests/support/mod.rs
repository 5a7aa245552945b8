//! An engine on real stores and a real shim, for tests.

use drydock_core::NameGrammar;
use drydock_engine::{
    ContainerConfig, Create, CreateRules, Engine, HostConfig, InsideRules, LogConfig, RetryCounting, Settings,
};
use drydock_images::{Images, NewImage};
use drydock_layers::Layers;
use drydock_network::{Bridge, Config, Network};
use std::path::Path;

/// An engine on a directory of its own, without a bridge; `None`, and a word on it, where the machine lacks something.
pub(crate) async fn engine(root: &Path) -> Option<(Engine, String)> {
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

/// The cgroup above the containers'.
const CGROUP: &str = "drydock-engine-test";

/// The daemon's cgroup outlives it; a test's does not. What another test still uses stays for that one.
pub(crate) struct ParentCgroup;

impl Drop for ParentCgroup {
    fn drop(&mut self) {
        for controller in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(controller.path().join(CGROUP));
        }
    }
}

/// A tar archive of one directory.
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

/// A container of a program that is not there.
pub(crate) fn create(image: &str, name: &str) -> Create {
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
