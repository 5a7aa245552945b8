//! Mounting a root file system.

use crate::driver::Plan;
use drydock_core::fault;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A root file system mounted at a path. Dropping it unmounts, also where files are still open.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Takes charge of what an earlier life of the daemon mounted at `at`.
    #[must_use]
    pub fn adopt(at: PathBuf) -> Self {
        Self { at }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.at, UnmountFlags::DETACH) {
            tracing::warn!(at = %self.at.display(), %error, "unmounting");
        }
    }
}

/// Features that the kernel has on by default and that leave in the upper directory what the layers' form does not
/// know: directories that point elsewhere, files without their content.
pub(crate) fn options_to_switch_off() -> Vec<(&'static str, &'static str)> {
    let on = |name: &&'static str| {
        let value = std::fs::read(format!("/sys/module/overlay/parameters/{name}"));
        value.is_ok_and(|value| value.first() == Some(&b'Y'))
    };
    ["redirect_dir", "metacopy", "index"].into_iter().filter(on).map(|name| (name, "off")).collect()
}

/// Mounts what `plan` says at `at`.
pub(crate) fn mount(plan: &Plan, at: &Path) -> io::Result<Mount> {
    fault::point("layers.mount")?;
    match plan {
        Plan::Directory(directory) => {
            let tree = open_tree(CWD, directory, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
            attach(&tree, at)?;
        }
        Plan::Overlay { lower, upper, work, options } => match overlay(lower, upper, work, options) {
            Ok(mount) => attach(&mount, at)?,
            // Before 6.7 the kernel takes layers in one string only.
            Err(Errno::INVAL | Errno::NOSYS) => overlay_in_one(lower, upper, work, options, at)?,
            Err(error) => return Err(error.into()),
        },
    }
    Ok(Mount { at: at.to_owned() })
}

fn attach(mount: &OwnedFd, at: &Path) -> rustix::io::Result<()> {
    move_mount(mount, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

fn overlay(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    options: &[(&'static str, &'static str)],
) -> rustix::io::Result<OwnedFd> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for directory in lower {
        fsconfig_set_string(context.as_fd(), "lowerdir+", directory)?;
    }
    fsconfig_set_string(context.as_fd(), "upperdir", upper)?;
    fsconfig_set_string(context.as_fd(), "workdir", work)?;
    for (name, value) in options {
        fsconfig_set_string(context.as_fd(), *name, *value)?;
    }
    fsconfig_create(context.as_fd())?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
}

/// The options may fill one page, so directories are named by their handles: some 200 fit.
fn overlay_in_one(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    options: &[(&'static str, &'static str)],
    at: &Path,
) -> io::Result<()> {
    let handles = lower.iter().map(|path| crate::files::open_root(path)).collect::<rustix::io::Result<Vec<_>>>()?;
    let named: Vec<String> = handles.iter().map(|handle| format!("/proc/self/fd/{}", handle.as_raw_fd())).collect();
    let mut data = format!("lowerdir={}", named.join(":")).into_bytes();
    for (name, path) in [(&b",upperdir="[..], upper), (b",workdir=", work)] {
        data.extend_from_slice(name);
        // A comma ends an option.
        for &byte in path.as_os_str().as_bytes() {
            if matches!(byte, b',' | b'\\') {
                data.push(b'\\');
            }
            data.push(byte);
        }
    }
    for (name, value) in options {
        data.extend_from_slice(format!(",{name}={value}").as_bytes());
    }
    let data = CString::new(data).map_err(|_| Errno::INVAL)?;
    Ok(rustix::mount::mount("overlay", at, "overlay", MountFlags::empty(), data.as_c_str())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Root with overlayfs, or the reason why not.
    fn lacks() -> Option<&'static str> {
        (!rustix::process::geteuid().is_root()).then_some("mounting needs root")
    }

    #[test]
    fn a_kernel_that_takes_layers_in_one_string_shows_the_same() {
        if let Some(reason) = lacks() {
            eprintln!("SKIPPED: {reason}");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let lower: Vec<PathBuf> = (0..150).map(|number| path(&format!("lower,{number}"))).collect();
        fs::write(lower[149].join("bottom"), "b").unwrap();
        fs::write(lower[0].join("top"), "t").unwrap();
        let (upper, work, at) = (path("up,per"), path("work"), path("at"));
        overlay_in_one(&lower, &upper, &work, &[], &at).unwrap();
        let mount = Mount { at: at.clone() };
        assert!(at.join("bottom").exists() && at.join("top").exists());
        fs::write(at.join("new"), "n").unwrap();
        drop(mount);
        assert!(upper.join("new").exists() && !at.join("new").exists());
    }
}
