//! Writing limits.
//!
//! Source: recordings `inside/cgroup-…`, `containers.start/failures/cpuset-start`.

use super::{Cgroup, Directory, failure};
use drydock_shim_protocol::{DeviceKind, DeviceRule, Failure, Limits, Note};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

const CPUSET_FILES: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];

impl Cgroup {
    pub(super) fn limit(&mut self, limits: &Limits) -> Result<(), Failure> {
        if let Some(directory) = self.v2() {
            limit_v2(directory, limits)?;
            if limits.devices.is_some() {
                // Devices are a BPF program there, which needs more than this crate's few system calls.
                self.notes.push(Note::ControllerMissing("devices".into()));
            }
            return Ok(());
        }
        let missing = [
            self.with("memory").map(|directory| limit_memory(directory, limits)).ok_or("memory"),
            self.with("cpu").map(|directory| limit_cpu(directory, limits)).ok_or("cpu"),
            self.with("cpuset").map(|directory| limit_cpuset(directory, limits)).ok_or("cpuset"),
            self.with("blkio").map(|directory| limit_blkio(directory, limits)).ok_or("blkio"),
            self.with("pids").map(|directory| put_some(directory, "pids.max", limits.pids)).ok_or("pids"),
            self.with("devices").map(|directory| limit_devices(directory, limits)).ok_or("devices"),
        ];
        for controller in missing {
            match controller {
                Ok(result) => result?,
                Err(name) if is_limited(limits, name) => self.notes.push(Note::ControllerMissing(name.into())),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

fn is_limited(limits: &Limits, controller: &str) -> bool {
    match controller {
        "memory" => {
            limits.memory.is_some()
                || limits.memory_reservation.is_some()
                || limits.memory_swap.is_some()
                || limits.swappiness.is_some()
                || limits.oom_kill_disable
        }
        "cpu" => limits.cpu_shares.is_some() || limits.cpu_period.is_some() || limits.cpu_quota.is_some(),
        "cpuset" => limits.cpuset_cpus.is_some() || limits.cpuset_mems.is_some(),
        "blkio" => limits.blkio_weight.is_some(),
        "pids" => limits.pids.is_some(),
        _ => limits.devices.is_some(),
    }
}

fn limit_memory(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    put_some(directory, "memory.limit_in_bytes", limits.memory)?;
    put_some(directory, "memory.soft_limit_in_bytes", limits.memory_reservation)?;
    put_some(directory, "memory.memsw.limit_in_bytes", limits.memory_swap)?;
    put_some(directory, "memory.swappiness", limits.swappiness)?;
    if limits.oom_kill_disable { put(directory, "memory.oom_control", "1") } else { Ok(()) }
}

fn limit_cpu(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    if let Some(shares) = limits.cpu_shares {
        put(directory, "cpu.shares", &shares.to_string())?;
        if limits.cpu_shares_checked {
            check_shares(directory, shares)?;
        }
    }
    put_some(directory, "cpu.cfs_period_us", limits.cpu_period)?;
    put_some(directory, "cpu.cfs_quota_us", limits.cpu_quota)
}

/// The kernel clamps without a word.
fn check_shares(directory: &Directory, asked: i64) -> Result<(), Failure> {
    let file = directory.path.join("cpu.shares");
    let text = fs::read_to_string(&file).map_err(|error| failure(&file, &error))?;
    let Ok(given) = text.trim().parse::<u64>() else { return Ok(()) };
    match i128::from(asked).cmp(&i128::from(given)) {
        std::cmp::Ordering::Less => Err(Failure::CpuSharesBelow(given)),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(Failure::CpuSharesAbove(given)),
    }
}

fn limit_cpuset(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    // Without CPUs and nodes no process could enter.
    for (file, value) in CPUSET_FILES.iter().zip([&limits.cpuset_cpus, &limits.cpuset_mems]) {
        match value {
            Some(value) => put(directory, file, value)?,
            None => copy_from_above(&directory.path, file)?,
        }
    }
    Ok(())
}

/// Gives every directory from the root down to `parent` its CPUs and nodes; new ones have none.
pub(super) fn inherit_cpuset(mount: &Path, parent: &Path) -> Result<(), Failure> {
    if parent == mount || !parent.starts_with(mount) {
        return Ok(());
    }
    inherit_cpuset(mount, parent.parent().unwrap_or(mount))?;
    CPUSET_FILES.iter().try_for_each(|file| copy_from_above(parent, file))
}

fn copy_from_above(directory: &Path, file: &str) -> Result<(), Failure> {
    let own = directory.join(file);
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| failure(path, &error));
    if !read(&own)?.trim().is_empty() {
        return Ok(());
    }
    let above = read(&directory.parent().unwrap_or(directory).join(file))?;
    fs::write(&own, above.trim()).map_err(|error| failure(&own, &error))
}

fn limit_blkio(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    let Some(weight) = limits.blkio_weight else { return Ok(()) };
    // Schedulers differ in which of the two there is.
    let bfq = "blkio.bfq.weight";
    let file = if !directory.path.join("blkio.weight").exists() && directory.path.join(bfq).exists() {
        bfq
    } else {
        "blkio.weight"
    };
    put(directory, file, &weight.to_string())
}

fn limit_devices(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    let Some(rules) = &limits.devices else { return Ok(()) };
    put(directory, "devices.deny", "a")?;
    let file = directory.path.join("devices.allow");
    let mut allow = open(&file)?;
    rules.iter().try_for_each(|rule| allow.write_all(line(rule).as_bytes()).map_err(|error| failure(&file, &error)))
}

fn line(rule: &DeviceRule) -> String {
    let kind = match rule.kind {
        None => 'a',
        Some(DeviceKind::Character) => 'c',
        Some(DeviceKind::Block) => 'b',
    };
    let number = |number: Option<u32>| number.map_or_else(|| "*".to_owned(), |number| number.to_string());
    let letters = [(rule.access.read, 'r'), (rule.access.write, 'w'), (rule.access.mknod, 'm')];
    let letters: String = letters.iter().filter(|(allowed, _)| *allowed).map(|(_, letter)| letter).collect();
    format!("{kind} {}:{} {letters}", number(rule.major), number(rule.minor))
}

fn limit_v2(directory: &Directory, limits: &Limits) -> Result<(), Failure> {
    put_some(directory, "memory.max", limits.memory)?;
    put_some(directory, "memory.low", limits.memory_reservation)?;
    match (limits.memory_swap, limits.memory) {
        (Some(swap), Some(memory)) if swap >= memory => {
            put(directory, "memory.swap.max", &(swap - memory).to_string())?;
        }
        (Some(-1), _) => put(directory, "memory.swap.max", "max")?,
        _ => {}
    }
    if let Some(shares) = limits.cpu_shares {
        // The two scales, 2 to 262144 and 1 to 10000, as everybody maps them.
        let weight = 1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142;
        put(directory, "cpu.weight", &weight.to_string())?;
    }
    if limits.cpu_quota.is_some() || limits.cpu_period.is_some() {
        let quota = limits.cpu_quota.filter(|quota| *quota > 0).map_or("max".to_owned(), |quota| quota.to_string());
        put(directory, "cpu.max", &format!("{quota} {}", limits.cpu_period.unwrap_or(100_000)))?;
    }
    for (file, value) in CPUSET_FILES.iter().zip([&limits.cpuset_cpus, &limits.cpuset_mems]) {
        value.as_ref().map_or(Ok(()), |value| put(directory, file, value))?;
    }
    if let Some(weight) = limits.blkio_weight {
        put(directory, "io.weight", &format!("default {}", 1 + (weight.clamp(10, 1000) - 10) * 9_999 / 990))?;
    }
    put_some(directory, "pids.max", limits.pids)
}

/// Hands down all controllers from the root to `parent`. What cannot be handed down shows when a limit is written.
pub(super) fn enable_controllers(mount: &Path, parent: &Path) {
    let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
    let below = parent.strip_prefix(mount).unwrap_or(Path::new(""));
    let chain = below.ancestors().collect::<Vec<_>>();
    for directory in chain.iter().rev() {
        for controller in controllers.split_whitespace() {
            let _ = fs::write(mount.join(directory).join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
}

fn put_some(directory: &Directory, file: &str, value: Option<i64>) -> Result<(), Failure> {
    value.map_or(Ok(()), |value| put(directory, file, &value.to_string()))
}

fn put(directory: &Directory, file: &str, value: &str) -> Result<(), Failure> {
    let path = directory.path.join(file);
    open(&path)?.write_all(value.as_bytes()).map_err(|error| failure(&path, &error))
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).open(path).map_err(|error| failure(path, &error))
}
