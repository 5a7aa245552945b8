//! From the host's file system to the container's.
//!
//! Sources are opened (as detached copies of their mounts) while the host can be seen; then the root is changed; then
//! everything is mounted at places resolved inside the new root. The host's tree stays hidden below the new root
//! until the end, since in a user namespace the kernel lets one mount `/proc` only while one can be seen.

use super::devices;
use super::target::{self, Make};
use crate::step::{Step, point};
use crate::sys;
use drydock_shim_protocol::{ContainerSpec, DeviceNode, Failure, Mount, MountSource};
use rustix::fs::{CWD, Mode, symlinkat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind_recursive,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root, umask};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Links in every `/dev`.
const DEV_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Makes the container's file system this process's own. `terminal` is bound at `/dev/console`.
pub(crate) fn enter_root(spec: &ContainerSpec, terminal: Option<BorrowedFd<'_>>) -> Result<(), Failure> {
    umask(Mode::empty());
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", propagation).step("mounts", "from the host only")?;
    point("runtime.mounts.sources")?;
    let sources = spec.mounts.iter().map(Source::open).collect::<Result<Vec<_>, _>>()?;
    let console = terminal.map(open_console).transpose()?;
    let host_devices = if spec.host_devices { devices::of_host() } else { Vec::new() };
    point("runtime.mounts.pivot")?;
    let host = change_root(&spec.rootfs)?;
    let root = target::open_host("/").step("mounts", "the root")?;
    point("runtime.mounts.targets")?;
    for (wanted, source) in spec.mounts.iter().zip(sources) {
        let failed = |errno: Errno| Failure::Mount { target: wanted.target.clone(), errno: errno.raw_os_error() };
        source.mount(wanted, &root, &host).map_err(failed)?;
    }
    point("runtime.mounts.devices")?;
    if spec.mounts.iter().any(|mount| mount.source == MountSource::Dev) {
        link_devices(&root).step("mounts", "links in /dev")?;
    }
    for node in spec.devices.iter().chain(&host_devices) {
        make_node(&root, &host, node).step("device", node.path.display())?;
    }
    if let Some(console) = console {
        place(&root, Path::new("/dev/console"), Make::File, &console).step("terminal", "/dev/console")?;
    }
    point("runtime.mounts.protect")?;
    for path in &spec.read_only_paths {
        protect(&root, path).step("read-only path", path.display())?;
    }
    for path in &spec.masked_paths {
        mask(&root, &host, path).step("masked path", path.display())?;
    }
    if spec.read_only_rootfs {
        sys::set_read_only(&root, false).step("mounts", "read-only root")?;
    }
    leave(&host).step("mounts", "leaving the host's")?;
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

/// What a mount is made from.
enum Source {
    /// A copy of mounts of the host, attached nowhere yet.
    Tree(OwnedFd),
    /// A file system that the kernel makes.
    Kernel,
}

impl Source {
    fn open(mount: &Mount) -> Result<Self, Failure> {
        let MountSource::Bind(path) = &mount.source else { return Ok(Self::Kernel) };
        let place = target::normal(&mount.target);
        if place == Path::new("/") {
            return Err(Failure::MountAtRoot);
        }
        if place.starts_with("/proc") {
            return Err(Failure::MountInProc(place));
        }
        let failed = |errno: Errno| Failure::Mount { target: mount.target.clone(), errno: errno.raw_os_error() };
        let tree = copy_tree(CWD, path, true).map_err(failed)?;
        if mount.read_only {
            sys::set_read_only(&tree, true).map_err(failed)?;
        }
        Ok(Self::Tree(tree))
    }

    fn mount(&self, wanted: &Mount, root: &OwnedFd, host: &OwnedFd) -> Result<(), Errno> {
        match self {
            Self::Tree(tree) => {
                let make = if target::is_directory(tree)? { Make::Directory } else { Make::File };
                place(root, &wanted.target, make, tree)
            }
            Self::Kernel => {
                fchdir(target::open_or_make(root, &wanted.target, Make::Directory)?)?;
                mount_kernel(&wanted.source, wanted.read_only, host)
            }
        }
    }
}

/// Mounts a file system of the kernel's on the current directory. Options: recordings `inside/default`, mountinfo.
fn mount_kernel(source: &MountSource, read_only: bool, host: &OwnedFd) -> Result<(), Errno> {
    let ro = if read_only { MountFlags::RDONLY } else { MountFlags::empty() };
    let here = |source: &str, kind: &str, flags, data: Option<&CStr>| mount(source, ".", kind, flags | ro, data);
    match source {
        MountSource::Proc => here("proc", "proc", SAFE, None),
        MountSource::Sysfs => match here("sysfs", "sysfs", SAFE, None) {
            // Whoever does not own the network namespace gets the host's.
            Err(Errno::PERM) => attach(&copy_tree(host, Path::new("sys"), true)?, target::open_host(".")?),
            result => result,
        },
        MountSource::Dev => here("tmpfs", "tmpfs", MountFlags::NOSUID | MountFlags::STRICTATIME, Some(c"mode=755")),
        MountSource::Devpts => {
            let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
            match here("devpts", "devpts", flags, Some(c"newinstance,ptmxmode=0666,mode=0620,gid=5")) {
                // The group does not exist in a user namespace of one id.
                Err(Errno::INVAL) => here("devpts", "devpts", flags, Some(c"newinstance,ptmxmode=0666,mode=0620")),
                result => result,
            }
        }
        MountSource::Mqueue => here("mqueue", "mqueue", SAFE, None),
        MountSource::Shm { size } => {
            let data = std::ffi::CString::new(format!("mode=1777,size={}k", size / 1024)).map_err(|_| Errno::INVAL)?;
            here("shm", "tmpfs", SAFE, Some(&data))
        }
        MountSource::Bind(_) => Err(Errno::INVAL),
    }
}

/// Changes the root, and gives the host's, which from now on is hidden.
fn change_root(rootfs: &Path) -> Result<OwnedFd, Failure> {
    let step = || rootfs.display();
    mount_bind_recursive(rootfs, rootfs).step("mounts", step())?;
    let host = target::open_host("/").step("mounts", "the host's")?;
    chdir(rootfs).step("mounts", step())?;
    pivot_root(".", ".").step("pivot", step())?;
    Ok(host)
}

fn leave(host: &OwnedFd) -> Result<(), Errno> {
    fchdir(host)?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")
}

fn open_console(terminal: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let name = rustix::termios::ttyname(terminal, Vec::new()).step("terminal", "its name")?;
    let path = PathBuf::from(String::from_utf8_lossy(name.as_bytes()).into_owned());
    copy_tree(CWD, &path, false).step("terminal", path.display())
}

fn link_devices(root: &OwnedFd) -> Result<(), Errno> {
    let dev = target::open(root, Path::new("/dev"))?;
    DEV_LINKS.iter().try_for_each(|(to, name)| symlinkat(*to, &dev, *name))
}

fn make_node(root: &OwnedFd, host: &OwnedFd, node: &DeviceNode) -> Result<(), Errno> {
    match devices::make(root, node) {
        // In a user namespace nobody makes nodes: the host's own takes its place.
        Err(Errno::PERM) => {
            let path = node.path.strip_prefix("/").unwrap_or(&node.path);
            place(root, &node.path, Make::File, &copy_tree(host, path, false)?)
        }
        result => result,
    }
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

fn mask(root: &OwnedFd, host: &OwnedFd, path: &Path) -> Result<(), Errno> {
    match target::open(root, path) {
        Err(Errno::NOENT) => Ok(()),
        place => attach(&copy_tree(host, Path::new("dev/null"), false)?, place?),
    }
}

fn place(root: &OwnedFd, path: &Path, make: Make, tree: &OwnedFd) -> Result<(), Errno> {
    attach(tree, target::open_or_make(root, path, make)?)
}

fn attach(tree: &OwnedFd, place: OwnedFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", &place, "", flags)
}

fn copy_tree(from: impl AsFd, path: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    open_tree(from, path, tree_flags(recursive))
}

fn tree_flags(recursive: bool) -> OpenTreeFlags {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive { flags | OpenTreeFlags::AT_RECURSIVE } else { flags }
}
