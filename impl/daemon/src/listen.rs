//! Binding what clients connect to.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use drydock_api::Listener;
use nix::unistd::Group;
use tokio::net::{TcpListener, UnixListener};

use crate::{
    flags::{Flags, Host},
    tls,
};

/// Everything that is listened on. Unix sockets are gone when this goes.
pub(crate) struct Bound {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) sockets: Sockets,
}

/// Files of unix sockets.
pub(crate) struct Sockets(Vec<PathBuf>);

impl Drop for Sockets {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

pub(crate) async fn bind(flags: &Flags) -> Result<Bound> {
    let mut bound = Bound { listeners: Vec::new(), sockets: Sockets(Vec::new()) };
    let acceptor = if flags.tls || flags.tlsverify { Some(tls::acceptor(flags)?) } else { None };
    for host in &flags.hosts {
        bound.listeners.push(match host {
            Host::Unix(path) => {
                let listener = unix(path, &flags.group).with_context(|| format!("listening on {}", path.display()))?;
                bound.sockets.0.push(path.clone());
                Listener::Unix(listener)
            }
            Host::Tcp(address) => {
                let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
                match &acceptor {
                    Some(acceptor) => Listener::Tls(listener, acceptor.clone()),
                    None => Listener::Tcp(listener),
                }
            }
        });
    }
    Ok(bound)
}

/// A socket that root and a group may use. One that an earlier daemon left is replaced.
fn unix(path: &Path, group: &str) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    let gid = group.parse().ok().or_else(|| Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw()));
    match gid {
        Some(gid) => {
            if let Err(error) = chown(path, None, Some(gid)) {
                tracing::warn!(%error, group, "the socket stays with its group");
            }
        }
        None => tracing::debug!(group, "no such group: the socket is root's"),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}
