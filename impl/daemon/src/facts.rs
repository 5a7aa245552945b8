//! What `info` and `version` tell of the daemon and its machine.

use std::{env, fs, io, path::Path};

use anyhow::{Context, Result};
use drydock_api::{Facts, KernelLimits};
use drydock_core::Id;
use nix::sys::utsname::uname;

use crate::flags::Flags;

pub(crate) fn gather(flags: &Flags) -> Result<Facts> {
    let kernel = uname().context("asking the kernel for its name")?;
    let variable = |name: &str| env::var(name).or_else(|_| env::var(name.to_uppercase())).unwrap_or_default();
    Ok(Facts {
        id: identity(&flags.graph)?,
        commit: format!("drydock-{}", env!("CARGO_PKG_VERSION")),
        kernel_version: kernel.release().to_string_lossy().into_owned(),
        operating_system: operating_system(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        memory: memory(),
        name: kernel.nodename().to_string_lossy().into_owned(),
        labels: flags.labels.clone(),
        root: flags.graph.clone(),
        debug: flags.debug,
        program: env::current_exe().unwrap_or_default(),
        insecure_registries: insecure(flags),
        mirrors: flags.mirrors.clone(),
        limits: limits(Path::new("/sys/fs/cgroup")),
        proxies: ["http_proxy", "https_proxy", "no_proxy"].map(variable),
    })
}

/// Networks among the insecure registries; the loopback network always is one.
fn insecure(flags: &Flags) -> Vec<String> {
    let networks =
        flags.insecure_registries.iter().filter(|registry| registry.contains('/') && !registry.contains("://"));
    networks.cloned().chain(["127.0.0.0/8".to_owned()]).collect()
}

/// The daemon's id: made once, kept in its data root. 240 random bits in base 32, in groups of four.
fn identity(root: &Path) -> Result<String> {
    let path = root.join("id");
    match fs::read_to_string(&path) {
        Ok(id) => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("reading {}", path.display()));
        }
        Err(_) => {}
    }
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = Id::random();
    let mut id = String::new();
    let (mut bits, mut count) = (0u32, 0);
    for byte in &random.as_bytes()[..30] {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            if id.len() % 5 == 4 {
                id.push(':');
            }
            id.push(char::from(DIGITS[(bits >> count & 31) as usize]));
        }
    }
    fs::write(&path, &id).with_context(|| format!("writing {}", path.display()))?;
    Ok(id)
}

fn operating_system() -> String {
    let text = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
        .unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "<unknown>".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn limits(cgroups: &Path) -> KernelLimits {
    let has = |file: &str| cgroups.join(file).exists();
    let unified = |file: &str| {
        fs::read_to_string(cgroups.join("cgroup.controllers"))
            .is_ok_and(|text| text.split_whitespace().any(|name| name == file))
    };
    KernelLimits {
        memory: has("memory/memory.limit_in_bytes") || unified("memory"),
        swap: has("memory/memory.memsw.limit_in_bytes") || unified("memory"),
        cpu_period: has("cpu/cpu.cfs_period_us") || unified("cpu"),
        cpu_quota: has("cpu/cpu.cfs_quota_us") || unified("cpu"),
        oom_kill_disable: has("memory/memory.oom_control"),
    }
}
