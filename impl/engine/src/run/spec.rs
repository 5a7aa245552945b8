//! What the shim is told to make, from what the client asked for.

use crate::config::{Device, HostConfig, Ulimit, effective_limits};
use crate::container::Definition;
use crate::snapshot::{HostFiles, Volume};
use crate::{Engine, StartFailure};
use drydock_core::Id;
use drydock_shim_protocol::{
    Capabilities, Cgroups, ContainerSpec, DeviceAccess, DeviceKind, DeviceNode, DeviceRule, Failure, Limits, Log,
    Mount, MountSource, Namespaces, ProcessSpec, Rlimit, SystemMounts, default_device_rules, default_devices,
    read_only_proc_paths,
};
use nix::sys::stat::{self, SFlag};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What is known of a run before its shim is told.
pub(super) struct Prepared {
    pub(super) rootfs: PathBuf,
    pub(super) files: HostFiles,
    pub(super) namespaces: Namespaces,
    pub(super) log: Log,
    pub(super) env: Vec<String>,
    /// What the kernel is told; empty where it has the host's.
    pub(super) hostname: String,
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Environment of a container's processes: the usual variables, links, and its own, which go over both. Later ones of
/// one name take the place of earlier ones; entries without `=` are left out.
pub(crate) fn environment(definition: &Definition, links: &[String]) -> Vec<String> {
    let config = &definition.config;
    let mut env = vec![PATH.to_owned(), format!("HOSTNAME={}", definition.full_hostname())];
    if config.tty {
        env.push("TERM=xterm".to_owned());
    }
    env.extend_from_slice(links);
    for entry in config.env.iter().flatten() {
        let Some((name, _)) = entry.split_once('=') else { continue };
        match env.iter_mut().find(|known| known.split_once('=').is_some_and(|(known, _)| known == name)) {
            Some(known) => known.clone_from(entry),
            None => env.push(entry.clone()),
        }
    }
    env
}

impl Definition {
    /// Host name as `HOSTNAME` and the kernel tell it: with the domain, where the rules say so.
    pub(crate) fn full_hostname(&self) -> String {
        let (config, inside) = (&self.config, &self.inside);
        match (inside.domain_in_hostname, config.domainname.as_str()) {
            (false, _) | (true, "") => config.hostname.clone(),
            (true, domain) => format!("{}.{domain}", config.hostname),
        }
    }
}

impl Engine {
    /// All that the shim needs to know.
    pub(super) fn container_spec(
        &self,
        id: Id,
        definition: &Definition,
        prepared: Prepared,
    ) -> Result<ContainerSpec, StartFailure> {
        let (host, inside) = (&definition.host_config, definition.inside);
        let devices = host_devices(host)?;
        let process = self.process(definition, prepared.env)?;
        let mut nodes = default_devices();
        nodes.retain(|node| devices.iter().all(|(device, _)| device.path != node.path));
        nodes.extend(devices.iter().map(|(node, _)| node.clone()));
        let rules = (!host.privileged).then(|| {
            let mut rules = default_device_rules();
            rules.extend(devices.into_iter().map(|(_, rule)| rule));
            rules
        });
        Ok(ContainerSpec {
            id: id.to_string(),
            rootfs: prepared.rootfs,
            read_only_rootfs: host.readonly_rootfs,
            hostname: prepared.hostname,
            domainname: String::new(),
            namespaces: prepared.namespaces,
            mounts: mounts(definition, &prepared.files),
            devices: nodes,
            read_only_paths: match host.privileged {
                true => Vec::new(),
                false => read_only_proc_paths(inside.proc_fs_read_only),
            },
            masked_paths: Vec::new(),
            cgroups: Cgroups { parent: self.cgroup_parent(host), limits: limits(definition, rules) },
            oom_score_adj: None,
            process,
            log: prepared.log,
            spool: self.container_dir(id),
        })
    }

    /// The first process.
    fn process(&self, definition: &Definition, env: Vec<String>) -> Result<ProcessSpec, StartFailure> {
        let config = &definition.config;
        Ok(ProcessSpec {
            args: std::iter::once(&definition.path).chain(definition.args.iter()).cloned().collect(),
            env,
            set_home: true,
            cwd: config.working_dir.clone(),
            user: config.user.clone(),
            tty: config.tty,
            stdin: config.open_stdin,
            stdin_once: config.stdin_once,
            own_session: true,
            capabilities: capabilities(definition)?,
            rlimits: rlimits(definition.host_config.ulimits.as_deref().unwrap_or_default(), &self.0.settings.ulimits)?,
        })
    }
}

/// The usual mounts, the volumes with those above others first, and the files of the host; what comes later lies on top.
fn mounts(definition: &Definition, files: &HostFiles) -> Vec<Mount> {
    let (host, inside) = (&definition.host_config, definition.inside);
    let system = SystemMounts { pts_first: inside.pts_first, mqueue: inside.mqueue, writable_sys: host.privileged };
    let mut mounts = system.mounts();
    let none = BTreeMap::new();
    let volumes = definition.volumes.as_deref().unwrap_or(&none);
    let mut volume_mounts: Vec<Mount> = volumes.iter().map(|(path, volume)| volume_mount(path, volume)).collect();
    volume_mounts.sort_by_key(|mount| mount.target.components().count());
    let own =
        [("/etc/resolv.conf", &files.resolv_conf), ("/etc/hostname", &files.hostname), ("/etc/hosts", &files.hosts)];
    let writable = !(host.readonly_rootfs && inside.files_follow_root);
    let own = own.into_iter().filter(|(_, file)| !file.as_os_str().is_empty());
    let own = own.map(|(path, file)| bind(path, file.clone(), writable));
    if inside.volumes_first {
        mounts.extend(volume_mounts);
        mounts.extend(own);
    } else {
        mounts.extend(own);
        mounts.extend(volume_mounts);
    }
    mounts
}

fn volume_mount(path: &str, volume: &Volume) -> Mount {
    bind(path, volume.source.clone(), volume.writable)
}

fn bind(target: &str, source: PathBuf, writable: bool) -> Mount {
    Mount { target: target.into(), source: MountSource::Bind(source), read_only: !writable }
}

fn limits(definition: &Definition, devices: Option<Vec<DeviceRule>>) -> Limits {
    let (host, inside) = (&definition.host_config, definition.inside);
    let limits = effective_limits(Some(&definition.config.limits), host);
    let set = |value: i64| (value != 0).then_some(value);
    let text = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let memory = (limits.memory > 0).then_some(limits.memory);
    Limits {
        memory,
        memory_reservation: memory.filter(|_| inside.soft_memory_limit),
        memory_swap: match limits.memory_swap {
            0 => memory.map(|memory| memory.saturating_mul(2)),
            swap => Some(swap),
        },
        swappiness: None,
        oom_kill_disable: host.oom_kill_disable,
        cpu_shares: set(limits.cpu_shares),
        cpu_shares_checked: inside.cpu_shares_checked,
        cpu_quota: set(host.cpu_quota),
        cpu_period: set(host.cpu_period),
        cpuset_cpus: text(&limits.cpuset),
        cpuset_mems: text(&host.cpuset_mems),
        cpuset_always: inside.cpuset_always,
        blkio_weight: set(host.blkio_weight),
        pids: None,
        devices,
    }
}

/// Names go without regard to case; `ALL` stands for all.
pub(crate) fn capabilities(definition: &Definition) -> Result<Capabilities, StartFailure> {
    let (host, inside) = (&definition.host_config, definition.inside);
    let unknown = Capabilities::UNKNOWN_TO_OLD;
    let left_in_bounding = if inside.unknown_capabilities_left { unknown } else { 0 };
    let all = Capabilities::names(u64::MAX).filter_map(Capabilities::by_name).fold(0, |all, one| all | one);
    let all = if inside.unknown_capabilities_left { all & !unknown } else { all };
    if host.privileged {
        return Ok(Capabilities { set: all, left_in_bounding });
    }
    let known = |name: &String| Capabilities::by_name(&name.to_uppercase()).filter(|bit| bit & all != 0);
    let mask = |names: &Option<Vec<String>>, wrong: fn(String) -> StartFailure| {
        let mut mask = 0;
        for name in names.iter().flatten().filter(|name| !name.eq_ignore_ascii_case("all")) {
            mask |= known(name).ok_or_else(|| wrong(name.clone()))?;
        }
        Ok::<u64, StartFailure>(mask)
    };
    let says_all = |names: &Option<Vec<String>>| names.iter().flatten().any(|name| name.eq_ignore_ascii_case("all"));
    let drop = mask(&host.cap_drop, StartFailure::CapabilityToDrop)?;
    let add = mask(&host.cap_add, StartFailure::CapabilityToAdd)?;
    let basis = if says_all(&host.cap_add) { all } else { Capabilities::DEFAULT };
    let kept = if says_all(&host.cap_drop) { 0 } else { basis & !drop };
    Ok(Capabilities { set: kept | add, left_in_bounding })
}

/// The container's limits, and the daemon's where it has none of the name.
pub(crate) fn rlimits(own: &[Ulimit], defaults: &[Ulimit]) -> Result<Vec<Rlimit>, StartFailure> {
    let missing = defaults.iter().filter(|default| own.iter().all(|own| own.name != default.name));
    own.iter()
        .chain(missing)
        .map(|limit| {
            let resource = Rlimit::by_name(&limit.name).ok_or_else(|| StartFailure::UlimitName(limit.name.clone()))?;
            // A negative number is what clients write for no limit.
            Ok(Rlimit { resource, soft: limit.soft as u64, hard: limit.hard as u64 })
        })
        .collect()
}

/// Devices that were asked for, or with privileges all that the host has.
fn host_devices(host: &HostConfig) -> Result<Vec<(DeviceNode, DeviceRule)>, StartFailure> {
    let mut found = Vec::new();
    if host.privileged {
        collect_devices(Path::new("/dev"), Path::new("/dev"), DeviceAccess::ALL, &mut found);
        return Ok(found);
    }
    for device in host.devices.iter().flatten() {
        asked_device(device, &mut found)?;
    }
    Ok(found)
}

fn asked_device(device: &Device, found: &mut Vec<(DeviceNode, DeviceRule)>) -> Result<(), StartFailure> {
    let path = &device.path_on_host;
    let inside = match device.path_in_container.as_str() {
        "" => path,
        inside => inside,
    };
    // The kernel is given no letters where none were asked for, and says so.
    let access = DeviceAccess::parse(&device.cgroup_permissions).filter(|access| *access != DeviceAccess::default());
    let Some(access) = access else {
        let file = PathBuf::from("devices.allow");
        return Err(StartFailure::Run(Failure::Cgroup { file, errno: nix::libc::EINVAL }));
    };
    let metadata = fs::symlink_metadata(path).map_err(|error| StartFailure::DeviceMissing {
        path: path.clone(),
        errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
    })?;
    if let Some(node) = node(Path::new(inside), &metadata) {
        found.push(with_rule(node, access));
        return Ok(());
    }
    let before = found.len();
    if metadata.is_dir() {
        collect_devices(Path::new(path), Path::new(inside), access, found);
    }
    if found.len() == before { Err(StartFailure::NotADevice(path.clone())) } else { Ok(()) }
}

/// All devices below a directory of the host, but those that a container has of its own.
fn collect_devices(dir: &Path, inside: &Path, access: DeviceAccess, found: &mut Vec<(DeviceNode, DeviceRule)>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let own = ["pts", "shm", "fd", "mqueue", "console", "lxc", ".lxc-auth"];
        if dir == Path::new("/dev") && own.iter().any(|own| name == *own) {
            continue;
        }
        if metadata.is_dir() {
            collect_devices(&path, &inside.join(&name), access, found);
        } else if let Some(node) = node(&inside.join(&name), &metadata) {
            found.push(with_rule(node, access));
        }
    }
}

fn with_rule(node: DeviceNode, access: DeviceAccess) -> (DeviceNode, DeviceRule) {
    let rule = DeviceRule { kind: Some(node.kind), major: Some(node.major), minor: Some(node.minor), access };
    (node, rule)
}

fn node(path: &Path, metadata: &fs::Metadata) -> Option<DeviceNode> {
    let kind = match SFlag::from_bits_truncate(metadata.mode()) & SFlag::S_IFMT {
        SFlag::S_IFCHR => DeviceKind::Character,
        SFlag::S_IFBLK => DeviceKind::Block,
        _ => return None,
    };
    let device = metadata.rdev();
    Some(DeviceNode {
        path: path.to_owned(),
        kind,
        major: u32::try_from(stat::major(device)).ok()?,
        minor: u32::try_from(stat::minor(device)).ok()?,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
    })
}
