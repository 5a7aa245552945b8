//! From the host's file system to the container's.
//!
//! All mounts are made detached, in the order in which the container's mount table shall list them, while the host can
//! be seen (in a user namespace the kernel makes a `/proc` only for who can see one); then the root is changed and the
//! host's is gone; then they are attached at places resolved inside the new root. The host's tree must not stay mounted
//! on top of it meanwhile: `..` at the root would lead into it.

use super::devices;
use super::target::{self, Make};
use crate::rootless::in_user_namespace;
use crate::step::{Step, point};
use crate::sys;
use drydock_shim_protocol::{ContainerSpec, DeviceNode, Failure, Mount, MountSource};
use rustix::fs::{CWD, Mode, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount_bind_recursive, mount_change,
    move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root, umask};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Links in every `/dev`.
const DEV_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Makes the container's file system this process's own. `terminal` is bound at `/dev/console`.
pub(crate) fn enter_root(spec: &ContainerSpec, terminal: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
    umask(Mode::empty());
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", propagation).step("mounts", "from the host only")?;
    mount_bind_recursive(&spec.rootfs, &spec.rootfs).step("mounts", spec.rootfs.display())?;
    point("runtime.mounts.sources")?;
    let trees = spec.mounts.iter().map(tree_of).collect::<Result<Vec<_>, _>>()?;
    let console = terminal.map(open_console).transpose()?;
    let may_make = !in_user_namespace();
    let nodes = spec.devices.iter().map(|node| Node::open(node, may_make)).collect::<Result<Vec<_>, _>>()?;
    let masks = spec.masked_paths.iter().map(|path| Ok((path, copy_tree(Path::new("/dev/null"), false)?)));
    let masks = masks.collect::<Result<Vec<_>, Errno>>().step("mounts", "/dev/null")?;
    point("runtime.mounts.pivot")?;
    change_root(&spec.rootfs)?;
    let root = target::open_host("/").step("mounts", "the root")?;
    point("runtime.mounts.targets")?;
    for (wanted, tree) in spec.mounts.iter().zip(trees) {
        attach_at(&root, wanted, &tree).map_err(|errno| failure(wanted, errno))?;
    }
    point("runtime.mounts.devices")?;
    if spec.mounts.iter().any(|mount| mount.source == MountSource::Dev) {
        link_devices(&root).step("mounts", "links in /dev")?;
    }
    for node in nodes {
        node.make(&root).step("device", node.wanted.path.display())?;
    }
    if let Some(console) = console {
        place(&root, Path::new("/dev/console"), Make::File, &console).step("terminal", "/dev/console")?;
    }
    point("runtime.mounts.protect")?;
    for path in &spec.read_only_paths {
        protect(&root, path).step("read-only path", path.display())?;
    }
    for (path, null) in masks {
        mask(&root, path, &null).step("masked path", path.display())?;
    }
    if spec.read_only_rootfs {
        sys::set_read_only(&root, false).step("mounts", "read-only root")?;
    }
    chdir("/").step("mounts", "the root")?;
    umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// Enters a working directory of the container; a missing one is made. The root of this process is the container's.
pub(crate) fn enter_directory(path: &str) -> Result<(), Failure> {
    let failed = |errno: Errno| Failure::WorkingDir { path: path.to_owned(), errno: errno.raw_os_error() };
    let root = target::open_host("/").map_err(failed)?;
    let wanted = Path::new("/").join(path);
    let directory = target::open_or_make(&root, &wanted, Make::Directory).map_err(failed)?;
    fchdir(directory).map_err(failed)
}

/// What is mounted, attached nowhere yet.
fn tree_of(mount: &Mount) -> Result<OwnedFd, Failure> {
    let tree = match &mount.source {
        MountSource::Bind(path) => {
            check_place(&mount.target)?;
            copy_tree(path, true)
        }
        source => match new_mount(source, mount.read_only) {
            // Whoever does not own the network namespace gets the host's.
            Err(Errno::PERM) if *source == MountSource::Sysfs => copy_tree(Path::new("/sys"), true),
            tree => tree,
        },
    };
    let tree = tree.map_err(|errno| failure(mount, errno))?;
    if mount.read_only {
        sys::set_read_only(&tree, true).map_err(|errno| failure(mount, errno))?;
    }
    Ok(tree)
}

fn check_place(path: &Path) -> Result<(), Failure> {
    let place = target::normal(path);
    if place == Path::new("/") {
        return Err(Failure::MountAtRoot);
    }
    if place.starts_with("/proc") { Err(Failure::MountInProc(place)) } else { Ok(()) }
}

fn attach_at(root: &OwnedFd, wanted: &Mount, tree: &OwnedFd) -> Result<(), Errno> {
    let make = if target::is_directory(tree)? { Make::Directory } else { Make::File };
    place(root, &wanted.target, make, tree)
}

fn failure(mount: &Mount, errno: Errno) -> Failure {
    Failure::Mount { target: mount.target.clone(), errno: errno.raw_os_error() }
}

/// A file system of the kernel's. Names and options: recordings `inside/default`, mountinfo.
fn new_mount(source: &MountSource, read_only: bool) -> Result<OwnedFd, Errno> {
    let no_suid = MountAttrFlags::MOUNT_ATTR_NOSUID;
    let no_exec = no_suid | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let safe = no_exec | MountAttrFlags::MOUNT_ATTR_NODEV;
    let (kind, name, attributes) = match source {
        MountSource::Proc => ("proc", "proc", safe),
        MountSource::Sysfs => ("sysfs", "sysfs", safe),
        MountSource::Dev => ("tmpfs", "tmpfs", no_suid | MountAttrFlags::MOUNT_ATTR_STRICTATIME),
        MountSource::Devpts => ("devpts", "devpts", no_exec),
        MountSource::Mqueue => ("mqueue", "mqueue", safe),
        MountSource::Shm { .. } => ("tmpfs", "shm", safe),
        MountSource::Bind(_) => return Err(Errno::INVAL),
    };
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let set = |option, value: &str| fsconfig_set_string(&context, option, value);
    set("source", name)?;
    match source {
        MountSource::Dev => set("mode", "755")?,
        MountSource::Devpts => {
            set("mode", "0620")?;
            set("ptmxmode", "0666")?;
            match set("gid", "5") {
                // The group does not exist in a user namespace of one id.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(errno) => return Err(errno),
            }
        }
        MountSource::Shm { size } => {
            set("mode", "1777")?;
            set("size", &format!("{}k", size / 1024))?;
        }
        _ => {}
    }
    if read_only {
        fsconfig_set_flag(&context, "ro")?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A device node, and where nobody may make one, the host's in its place.
struct Node<'a> {
    wanted: &'a DeviceNode,
    of_host: Option<OwnedFd>,
}

impl<'a> Node<'a> {
    fn open(wanted: &'a DeviceNode, may_make: bool) -> Result<Self, Failure> {
        let tree = (!may_make).then(|| copy_tree(&wanted.path, false)).transpose();
        Ok(Self { wanted, of_host: tree.step("device", wanted.path.display())? })
    }

    fn make(&self, root: &OwnedFd) -> Result<(), Errno> {
        match &self.of_host {
            Some(tree) => place(root, &self.wanted.path, Make::File, tree),
            None => devices::make(root, self.wanted),
        }
    }
}

/// Changes the root; the host's is gone after it.
fn change_root(rootfs: &Path) -> Result<(), Failure> {
    let step = || rootfs.display();
    let host = target::open_host("/").step("mounts", "the host's")?;
    chdir(rootfs).step("mounts", step())?;
    pivot_root(".", ".").step("pivot", step())?;
    fchdir(host).step("mounts", "the host's")?;
    unmount(".", UnmountFlags::DETACH).step("mounts", "leaving the host's")?;
    chdir("/").step("mounts", "the root")
}

fn open_console(terminal: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let name = rustix::termios::ttyname(terminal, Vec::new()).step("terminal", "its name")?;
    let path = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
    copy_tree(&path, false).step("terminal", path.display())
}

fn link_devices(root: &OwnedFd) -> Result<(), Errno> {
    let dev = target::open(root, Path::new("/dev"))?;
    DEV_LINKS.iter().try_for_each(|(to, name)| symlinkat(*to, &dev, *name))
}

fn protect(root: &OwnedFd, path: &Path) -> Result<(), Errno> {
    let place = match target::open(root, path) {
        Err(Errno::NOENT) => return Ok(()),
        place => place?,
    };
    let copy = open_tree(&place, "", tree_flags(true) | OpenTreeFlags::AT_EMPTY_PATH)?;
    sys::set_read_only(&copy, true)?;
    attach(&copy, place)
}

fn mask(root: &OwnedFd, path: &Path, null: &OwnedFd) -> Result<(), Errno> {
    match target::open(root, path) {
        Err(Errno::NOENT) => Ok(()),
        place => attach(null, place?),
    }
}

fn place(root: &OwnedFd, path: &Path, make: Make, tree: &OwnedFd) -> Result<(), Errno> {
    attach(tree, target::open_or_make(root, path, make)?)
}

fn attach(tree: &OwnedFd, place: OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", &place, "", flags)
}

/// A copy of what is mounted at a path of the host.
fn copy_tree(path: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    open_tree(CWD, path, tree_flags(recursive))
}

fn tree_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}
