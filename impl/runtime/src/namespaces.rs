//! Namespaces: which are new, which are joined.

use crate::step::{Step, errno};
use crate::sys;
use drydock_shim_protocol::{Failure, Namespace, Namespaces};
use rustix::thread::{LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Namespaces to join, opened while their paths can be seen.
pub(crate) struct Joined(Vec<(PathBuf, OwnedFd)>);

/// `CLONE_NEW…` flags of the new ones.
pub(crate) fn new_flags(namespaces: &Namespaces) -> u64 {
    let kinds = [
        (&namespaces.pid, libc::CLONE_NEWPID),
        (&namespaces.ipc, libc::CLONE_NEWIPC),
        (&namespaces.uts, libc::CLONE_NEWUTS),
        (&namespaces.network, libc::CLONE_NEWNET),
    ];
    kinds
        .iter()
        .filter(|(namespace, _)| **namespace == Namespace::New)
        .fold(libc::CLONE_NEWNS, |all, (_, flag)| all | flag) as u64
}

/// Lets this process's future children be in the pid namespace of `namespaces`, where that is somebody else's: only
/// children can join one.
pub(crate) fn join_pid(namespaces: &Namespaces) -> Result<(), Failure> {
    let Namespace::Path(path) = &namespaces.pid else { return Ok(()) };
    let namespace = open(path)?;
    join(path, &namespace, Some(LinkNameSpaceType::ProcessID))
}

impl Joined {
    pub(crate) fn open(namespaces: &Namespaces) -> Result<Self, Failure> {
        let all = [&namespaces.ipc, &namespaces.uts, &namespaces.network];
        let paths = all.into_iter().filter_map(|namespace| match namespace {
            Namespace::Path(path) => Some(path),
            Namespace::New | Namespace::Host => None,
        });
        paths.map(|path| Ok((path.clone(), open(path)?))).collect::<Result<_, Failure>>().map(Self)
    }

    pub(crate) fn join(&self) -> Result<(), Failure> {
        self.0.iter().try_for_each(|(path, namespace)| join(path, namespace, None))
    }
}

/// Host and domain name, and the loopback interface, of those that are new.
pub(crate) fn set_up(namespaces: &Namespaces, hostname: &str, domainname: &str) -> Result<(), Failure> {
    if namespaces.uts == Namespace::New {
        let failed = |errno: rustix::io::Errno| errno.raw_os_error();
        if !hostname.is_empty() {
            rustix::system::sethostname(hostname.as_bytes()).map_err(|errno| Failure::Hostname(failed(errno)))?;
        }
        if !domainname.is_empty() {
            rustix::system::setdomainname(domainname.as_bytes()).map_err(|errno| Failure::Domainname(failed(errno)))?;
        }
    }
    if namespaces.network == Namespace::New {
        sys::raise_loopback().step("loopback", "raising")?;
    }
    Ok(())
}

/// Joins all namespaces of a container whose first process is `init`, but for the pid namespace.
pub(crate) fn join_all(init: impl AsFd) -> Result<(), Failure> {
    let kinds = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK;
    rustix::thread::move_into_thread_name_spaces(init.as_fd(), kinds).step("exec.namespaces", "joining")
}

/// Lets this process's future children be in the pid namespace of `init`.
pub(crate) fn join_pid_of(init: impl AsFd) -> Result<(), Failure> {
    rustix::thread::move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::PROCESS_ID)
        .step("exec.pid-namespace", "joining")
}

fn open(path: &Path) -> Result<OwnedFd, Failure> {
    File::open(path)
        .map(OwnedFd::from)
        .map_err(|error| Failure::Namespace { path: path.to_owned(), errno: errno(&error).raw_os_error() })
}

fn join(path: &Path, namespace: &OwnedFd, kind: Option<LinkNameSpaceType>) -> Result<(), Failure> {
    move_into_link_name_space(namespace.as_fd(), kind)
        .map_err(|errno| Failure::Namespace { path: path.to_owned(), errno: errno.raw_os_error() })
}
