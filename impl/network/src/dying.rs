//! Interfaces that the kernel has yet to remove.
//!
//! A namespace and its interfaces go some time after its last user is gone, many in one sweep of the kernel's. To ask
//! for one removal costs 30 ms, during which nobody else changes the network; so nobody asks. An address is in use
//! until its interface is gone: a container that shares another's namespace may outlive it.

use crate::Error;
use crate::addresses::Lease;
use crate::netlink::{Socket, dump_links};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// So many are gathered before the kernel is asked which are gone.
const GATHERED: usize = 64;

/// Interfaces on their way out, with their addresses.
#[derive(Debug)]
pub(crate) struct Dying {
    host: Arc<Socket>,
    interfaces: Mutex<Vec<(u32, Lease)>>,
}

impl Dying {
    pub(crate) fn new(host: Arc<Socket>) -> Self {
        Self { host, interfaces: Mutex::default() }
    }

    /// Gives the address back once the interface is gone.
    pub(crate) fn add(&self, index: u32, lease: Lease) {
        let mut interfaces = self.lock();
        interfaces.push((index, lease));
        if interfaces.len().is_multiple_of(GATHERED) {
            drop(interfaces);
            let _ = self.bury();
        }
    }

    /// Waits until an address came back; `false`: none is to be expected.
    pub(crate) fn wait_for_one(&self) -> Result<bool, Error> {
        let patience = Instant::now() + Duration::from_secs(5);
        while Instant::now() < patience {
            let before = self.lock().len();
            if before == 0 {
                return Ok(false);
            }
            if self.bury()? > 0 {
                return Ok(true);
            }
            sleep(Duration::from_millis(5));
        }
        Ok(false)
    }

    /// Forgets those that are gone: how many.
    fn bury(&self) -> Result<usize, Error> {
        let links = dump_links(&self.host).map_err(|source| Error::Netlink { what: "reading interfaces", source })?;
        let alive: HashSet<_> = links.into_iter().map(|link| link.index).collect();
        let mut interfaces = self.lock();
        let before = interfaces.len();
        interfaces.retain(|(index, _)| alive.contains(index));
        Ok(before - interfaces.len())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u32, Lease)>> {
        self.interfaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
