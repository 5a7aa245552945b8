//! Network namespaces: making one, and giving it a path.

use crate::Error;
use crate::netlink::{Socket, set_link_up};
use drydock_core::fault;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;

/// Index of the loopback interface of every namespace.
const LOOPBACK: u32 = 1;

/// A namespace that nobody is in: it goes when both are closed.
#[derive(Debug)]
pub(crate) struct New {
    pub(crate) namespace: OwnedFd,
    /// Speaks to the kernel's network inside.
    pub(crate) inside: Socket,
}

/// Makes a namespace with its loopback interface up. A thread of its own enters it, so no other is ever in the wrong
/// one.
pub(crate) fn create() -> io::Result<New> {
    let maker = thread::Builder::new().name("new-netns".to_owned()).spawn(|| -> io::Result<New> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let namespace = File::open("/proc/thread-self/ns/net")?.into();
        let inside = Socket::open()?;
        inside.request([set_link_up(LOOPBACK)])?;
        Ok(New { namespace, inside })
    })?;
    maker.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Gives a namespace a path, which keeps it alive.
pub(crate) fn mount(namespace: &OwnedFd, path: &Path) -> Result<(), Error> {
    let fail = |source| Error::File { what: "mounting a namespace at", path: path.to_owned(), source };
    fault::point("network.namespace.mount").map_err(fail)?;
    File::options().write(true).create_new(true).open(path).map_err(fail)?;
    mount_bind(format!("/proc/self/fd/{}", namespace.as_raw_fd()), path).map_err(|errno| {
        let _ = fs::remove_file(path);
        fail(errno.into())
    })
}

/// Takes the path away. A path that is gone, or a file on which nothing is mounted, is no error: a killed daemon may
/// have stopped half way.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let fail = |source| Error::File { what: "unmounting the namespace at", path: path.to_owned(), source };
    fault::point("network.namespace.unmount").map_err(fail)?;
    match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
        Err(errno) => return Err(fail(errno.into())),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(fail(error)),
        _ => Ok(()),
    }
}
