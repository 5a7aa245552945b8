//! Containers that run, for tests of what meets at one.

use crate::support::create;
use drydock_engine::Create;
use std::path::{Path, PathBuf};

/// How much is in a directory.
pub(crate) fn entries(dir: PathBuf) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

/// A container that runs until it is killed, on the programs of this machine.
pub(crate) fn create_running(image: &str, name: &str) -> Create {
    let mut create = create(image, name);
    create.config.cmd = Some(["sleep", "1000"].map(Into::into).into());
    let host = ["/bin", "/usr", "/lib", "/lib64"].into_iter().filter(|path| Path::new(path).exists());
    create.host_config.binds = Some(host.map(|path| format!("{path}:{path}:ro")).collect());
    create.host_config.network_mode = "none".into();
    create
}
