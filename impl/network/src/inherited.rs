//! What an earlier daemon left.

use crate::Error;
use crate::marks::Marks;
use crate::netlink::{Socket, dump_links};
use std::fs;
use std::path::PathBuf;

/// What an earlier daemon left, when this one began.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// Index and name.
    pub(crate) interfaces: Vec<(u32, String)>,
    /// Of namespaces.
    pub(crate) paths: Vec<PathBuf>,
}

impl Inherited {
    pub(crate) fn find(host: &Socket, marks: &Marks, namespaces: &PathBuf) -> Result<Self, Error> {
        let links = dump_links(host).map_err(|source| Error::Netlink { what: "reading interfaces", source })?;
        let ours = links.into_iter().filter(|link| link.is_container_end_of(marks));
        let paths = fs::read_dir(namespaces)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|source| Error::File { what: "reading", path: namespaces.clone(), source })?;
        Ok(Self { interfaces: ours.map(|link| (link.index, link.name)).collect(), paths })
    }
}
