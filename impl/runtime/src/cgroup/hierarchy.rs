//! Where the hierarchies are mounted, and which part of them is ours.

use crate::step::Step;
use drydock_shim_protocol::Failure;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// A mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Controllers of a v1 hierarchy; empty: v2.
    pub(super) controllers: BTreeSet<String>,
    /// Where it is mounted.
    pub(super) mount: PathBuf,
    /// This process's cgroup in it, as a path below [`Self::mount`].
    pub(super) own: PathBuf,
}

const V1: [&str; 9] = ["memory", "cpu", "cpuacct", "cpuset", "devices", "freezer", "blkio", "pids", "hugetlb"];

impl Hierarchy {
    /// All that are mounted and have controllers; v2 last.
    pub(super) fn all() -> Result<Vec<Self>, Failure> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").step("cgroups", "mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup").step("cgroups", "own")?;
        Ok(parse(&mounts, &own))
    }

    pub(super) fn is_v2(&self) -> bool {
        self.controllers.is_empty()
    }

    /// Directory of the cgroup `id` below `parent` (see [`drydock_shim_protocol::Cgroups::parent`]).
    pub(super) fn directory(&self, parent: &str, id: &str) -> PathBuf {
        self.parent_directory(parent).join(id)
    }

    /// Directory of `parent` itself.
    pub(super) fn parent_directory(&self, parent: &str) -> PathBuf {
        let mut path = if parent.starts_with('/') { PathBuf::new() } else { self.own.clone() };
        for component in Path::new(parent).components() {
            match component {
                Component::Normal(name) => path.push(name),
                Component::ParentDir => drop(path.pop()),
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        self.mount.join(path)
    }
}

fn parse(mounts: &str, own: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        // id parent major:minor root mount options [tags…] - type source super-options
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let mut left = left.split(' ').skip(3);
        let (Some(root), Some(mount)) = (left.next(), left.next()) else { continue };
        let mut right = right.split(' ');
        let (kind, options) = (right.next(), right.nth(1).unwrap_or_default());
        let controllers: BTreeSet<String> = match kind {
            Some("cgroup") => options.split(',').filter(|name| V1.contains(name)).map(str::to_owned).collect(),
            Some("cgroup2") => BTreeSet::new(),
            _ => continue,
        };
        let v1_without_controllers = kind == Some("cgroup") && controllers.is_empty();
        if v1_without_controllers || found.iter().any(|known| known.controllers == controllers) {
            continue;
        }
        let path = own_path(own, &controllers);
        let own = Path::new(path).strip_prefix(root).or(Path::new(path).strip_prefix("/"));
        let own = own.unwrap_or(Path::new("")).to_owned();
        found.push(Hierarchy { controllers, mount: PathBuf::from(unescape(mount)), own });
    }
    found.sort_by_key(Hierarchy::is_v2);
    found
}

fn own_path<'a>(own: &'a str, controllers: &BTreeSet<String>) -> &'a str {
    let mut lines = own.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let ours = |names: &str| match controllers.first() {
        Some(first) => names.split(',').any(|name| name == first),
        None => names.is_empty(),
    };
    lines.find(|(names, _)| ours(names)).map_or("/", |(_, path)| path)
}

/// The kernel writes blanks and the like as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n\
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
        35 31 0:32 /outer /sys/fs/cgroup/mem\\040ory rw,relatime - cgroup cgroup rw,memory\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n";
    const OWN: &str = "9:name=systemd:/\n4:memory:/outer/inner\n1:cpu,cpuacct:/\n0::/user\n";

    #[test]
    fn hierarchies_are_found_with_our_place_in_them() {
        let found = parse(MOUNTS, OWN);
        let found: Vec<_> = found
            .iter()
            .map(|hierarchy| {
                let names: Vec<_> = hierarchy.controllers.iter().map(String::as_str).collect();
                (names.join(","), hierarchy.mount.to_str().unwrap(), hierarchy.own.to_str().unwrap())
            })
            .collect();
        assert_eq!(
            found,
            [
                ("cpu,cpuacct".into(), "/sys/fs/cgroup/cpu,cpuacct", ""),
                ("memory".into(), "/sys/fs/cgroup/mem ory", "inner"),
                (String::new(), "/sys/fs/cgroup/unified", "user"),
            ]
        );
    }

    #[test]
    fn a_parent_is_absolute_or_relative_and_never_above_the_root() {
        let memory = &parse(MOUNTS, OWN)[1];
        let directory = |parent| memory.directory(parent, "id").to_str().unwrap().to_owned();
        assert_eq!(directory("/docker"), "/sys/fs/cgroup/mem ory/docker/id");
        assert_eq!(directory("rel"), "/sys/fs/cgroup/mem ory/inner/rel/id");
        assert_eq!(directory("/../../esc"), "/sys/fs/cgroup/mem ory/esc/id");
    }
}
