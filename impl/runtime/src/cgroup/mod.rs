//! A container's cgroup: one directory in each hierarchy that has a controller in use.

mod freezer;
mod hierarchy;
mod limits;
mod oom;
mod stats;

pub use oom::OomWatch;

use crate::step::{errno, point};
use drydock_shim_protocol::{Cgroups, Failure, Note};
use hierarchy::Hierarchy;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A container's cgroup. Dropping it removes what can be removed at once; [`Self::remove`] says whether all is gone.
#[derive(Debug)]
pub struct Cgroup {
    directories: Vec<Directory>,
    notes: Vec<Note>,
}

#[derive(Debug)]
struct Directory {
    /// Controllers of a v1 hierarchy; empty: v2.
    controllers: Vec<String>,
    path: PathBuf,
    /// What a process writes to enter, kept open: an exec enters when the host's file system is out of sight.
    entrance: File,
}

/// Controllers that every container is under, wherever they are mounted.
const ALWAYS: [&str; 6] = ["memory", "cpu", "cpuacct", "devices", "freezer", "blkio"];

impl Cgroup {
    /// Makes the directories and writes the limits. On failure nothing is left but parents.
    ///
    /// # Errors
    /// `Cgroup` with the file that could not be written; `CpuSharesBelow` and `CpuSharesAbove`.
    pub fn make(id: &str, wanted: &Cgroups) -> Result<Self, Failure> {
        let mut cgroup = Self { directories: Vec::new(), notes: Vec::new() };
        let hierarchies = Hierarchy::all()?;
        let v1 = hierarchies.iter().any(|hierarchy| !hierarchy.is_v2());
        for hierarchy in hierarchies.iter().filter(|hierarchy| hierarchy.is_v2() != v1) {
            if hierarchy.is_v2() || is_wanted(hierarchy, wanted) {
                point("runtime.cgroup.make")?;
                cgroup.add(hierarchy, id, &wanted.parent)?;
            }
        }
        point("runtime.cgroup.limits")?;
        cgroup.limit(&wanted.limits)?;
        Ok(cgroup)
    }

    /// One without any directory, where the machine gives us none.
    #[must_use]
    pub fn none() -> Self {
        Self { directories: Vec::new(), notes: Vec::new() }
    }

    /// Finds what there is of a container's, to remove it.
    ///
    /// # Errors
    /// When the hierarchies cannot be read.
    pub fn find(id: &str, parent: &str) -> Result<Self, Failure> {
        let mut cgroup = Self::none();
        for hierarchy in Hierarchy::all()? {
            let path = hierarchy.directory(parent, id);
            if let Ok(entrance) = OpenOptions::new().write(true).open(path.join(entrance(&hierarchy))) {
                let controllers = hierarchy.controllers.into_iter().collect();
                cgroup.directories.push(Directory { controllers, path, entrance });
            }
        }
        Ok(cgroup)
    }

    /// What was done otherwise than asked.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Moves this process into it.
    pub(crate) fn enter(&self) -> Result<(), Failure> {
        for directory in &self.directories {
            (&directory.entrance)
                .write_all(b"0")
                .map_err(|error| failure(&directory.path.join("cgroup.procs"), &error))?;
        }
        Ok(())
    }

    /// Processes in it, ascending.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        let Some(directory) = self.with("freezer").or(self.directories.first()) else { return Ok(Vec::new()) };
        let mut pids = Vec::new();
        walk(&directory.path, &mut |path| {
            let text = fs::read_to_string(path.join("cgroup.procs"))?;
            pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
            Ok(())
        })?;
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Removes the directories, those that the container made in them too. `false`: something is still busy; a killed
    /// process leaves its cgroup a moment after its parent heard of the death.
    pub fn remove(&mut self) -> bool {
        self.directories.retain(|directory| !removed(&directory.path));
        self.directories.is_empty()
    }

    fn with(&self, controller: &str) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.controllers.iter().any(|name| name == controller))
    }

    fn v2(&self) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.controllers.is_empty())
    }

    fn add(&mut self, hierarchy: &Hierarchy, id: &str, parent: &str) -> Result<(), Failure> {
        let path = hierarchy.directory(parent, id);
        let parents = path.parent().unwrap_or(&hierarchy.mount).to_owned();
        make_directory(&path, &parents)?;
        let file = path.join(entrance(hierarchy));
        let opened = OpenOptions::new().write(true).open(&file);
        let entrance = opened.map_err(|error| {
            let _ = fs::remove_dir(&path);
            failure(&file, &error)
        })?;
        self.directories.push(Directory {
            controllers: hierarchy.controllers.iter().cloned().collect(),
            path,
            entrance,
        });
        if hierarchy.controllers.contains("cpuset") {
            limits::inherit_cpuset(&hierarchy.mount, &parents)?;
        }
        if hierarchy.is_v2() {
            limits::enable_controllers(&hierarchy.mount, &parents);
        }
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Removes the cgroup above containers' where nobody uses it any more: the kernel keeps one that has members, ours or
/// another daemon's.
///
/// # Errors
/// When the hierarchies cannot be read.
pub fn remove_unused_parent(parent: &str) -> Result<(), Failure> {
    for hierarchy in Hierarchy::all()? {
        let _ = fs::remove_dir(hierarchy.parent_directory(parent)); // In use, or never made.
    }
    Ok(())
}

/// By `cgroup.procs` the kernel moves a whole process, under a lock that costs a grace period, milliseconds each time;
/// by v1's `tasks` a thread moves itself without it, and whoever enters here has just one.
fn entrance(hierarchy: &Hierarchy) -> &'static str {
    if hierarchy.is_v2() { "cgroup.procs" } else { "tasks" }
}

fn is_wanted(hierarchy: &Hierarchy, wanted: &Cgroups) -> bool {
    let limits = &wanted.limits;
    hierarchy.controllers.iter().any(|name| match name.as_str() {
        "cpuset" => limits.cpuset_always || limits.cpuset_cpus.is_some() || limits.cpuset_mems.is_some(),
        "pids" => limits.pids.is_some(),
        name => ALWAYS.contains(&name),
    })
}

/// Makes a directory and what is missing above it, which somebody may remove as unused at the same time.
fn make_directory(path: &Path, parents: &Path) -> Result<(), Failure> {
    const TRIES: u32 = 10;
    for _ in 0..TRIES {
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(parents).map_err(|error| failure(parents, &error))?;
            }
            // One that is there already is an earlier run's that nobody cleaned up: its limits are written anew.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            result => return result.map_err(|error| failure(path, &error)),
        }
    }
    Err(failure(path, &ErrorKind::NotFound.into()))
}

fn removed(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(_) => {
            let children = fs::read_dir(path).into_iter().flatten().flatten();
            let directories = children.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let nested = directories.filter(|entry| removed(&entry.path())).count();
            nested > 0 && fs::remove_dir(path).is_ok()
        }
    }
}

fn walk(path: &Path, visit: &mut impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    visit(path)?;
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), visit)?;
        }
    }
    Ok(())
}

fn failure(file: &Path, error: &io::Error) -> Failure {
    Failure::Cgroup { file: file.to_owned(), errno: errno(error).raw_os_error() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(parent: &str) -> Vec<PathBuf> {
        let all = Hierarchy::all().unwrap().into_iter().map(|hierarchy| hierarchy.parent_directory(parent));
        all.filter(|directory| directory.exists()).collect()
    }

    #[test]
    fn a_parent_is_removed_once_nobody_uses_it() {
        let parent = format!("drydock-test-parent-{}", std::process::id());
        let wanted = |parent: &str| Cgroups { parent: parent.to_owned(), ..Cgroups::default() };
        let Ok(cgroup) = Cgroup::make("one", &wanted(&parent)) else {
            eprintln!("SKIPPED: no cgroup can be made; this test needs root");
            return;
        };
        let made = directories(&parent);
        assert!(!made.is_empty());
        remove_unused_parent(&parent).unwrap();
        assert_eq!(directories(&parent), made);
        drop(cgroup);
        remove_unused_parent(&parent).unwrap();
        assert_eq!(directories(&parent), Vec::<PathBuf>::new());
    }
}
