//! Namespaces kept ready, so that nobody waits for the kernel's slowest work.

use crate::marks::Marks;
use crate::netlink::{Socket, Veth, link_by_name, set_alias, set_hairpin};
use crate::{Error, namespace};
use drydock_core::fault;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// The interface's name inside.
const INSIDE: &str = "eth0";

/// A namespace with a pair: one end inside, down, the other on the bridge, up. It goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) namespace: OwnedFd,
    pub(crate) inside: Socket,
    /// Index of the end inside.
    pub(crate) inner: u32,
    /// Index and name of the host's end.
    pub(crate) outer: u32,
    pub(crate) name: String,
}

/// How to make them.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) host: Arc<Socket>,
    /// Index of the bridge.
    pub(crate) bridge: u32,
    pub(crate) mtu: u32,
    pub(crate) hairpin: bool,
    pub(crate) marks: Marks,
}

impl Recipe {
    fn make(&self, serial: u32) -> io::Result<Ready> {
        fault::point("network.ready.make")?;
        let new = namespace::create()?;
        let name = format!("{}{serial:x}", self.marks.prefix);
        let pair =
            Veth { name: &name, bridge: self.bridge, mtu: self.mtu, peer: INSIDE, namespace: new.namespace.as_fd() };
        self.host.request([pair.create()])?;
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let outer = link_by_name(&self.host, &name)?.ok_or_else(gone)?.index;
        let inner = link_by_name(&new.inside, INSIDE)?.ok_or_else(gone)?.index;
        let hairpin = self.hairpin.then(|| set_hairpin(outer));
        self.host.request([set_alias(outer, &self.marks.alias)].into_iter().chain(hairpin))?;
        Ok(Ready { namespace: new.namespace, inside: new.inside, inner, outer, name })
    }
}

/// Ready namespaces, and a thread that makes more.
#[derive(Debug)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
    maker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Ready>,
    /// Made in vain: for those who wait.
    failures: VecDeque<io::Error>,
    waiting: usize,
    /// The last one failed; no more is made until somebody wants one.
    discouraged: bool,
    stopping: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Until it is told to stop. `first` is any number that makes a name unlikely to be taken.
    fn make(&self, recipe: &Recipe, keep: usize, first: u32) {
        let mut serial = first;
        let mut state = self.lock();
        while !state.stopping {
            let enough = state.ready.len() >= keep && state.ready.len() >= state.waiting;
            if enough || (state.discouraged && state.waiting == 0) {
                state = self.wait(state);
                continue;
            }
            drop(state);
            serial = serial.wrapping_add(1);
            let made = recipe.make(serial);
            state = self.lock();
            match made {
                Ok(ready) => {
                    state.discouraged = false;
                    state.ready.push_back(ready);
                }
                // An earlier life's; the next name is free.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => {
                    state.discouraged = true;
                    if state.waiting > 0 {
                        state.failures.push_back(error);
                    }
                }
            }
            self.changed.notify_all();
        }
        state.ready.clear();
        self.changed.notify_all();
    }
}

impl Pool {
    pub(crate) fn start(recipe: Recipe, keep: usize, first: u32) -> Result<Self, Error> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let maker = thread::Builder::new()
            .name("ready-netns".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.make(&recipe, keep, first)
            })
            .map_err(Error::Namespace)?;
        Ok(Self { shared, maker: Mutex::new(Some(maker)) })
    }

    /// Takes one; waits for it where all are taken.
    pub(crate) fn take(&self) -> Result<Ready, Error> {
        let mut state = self.shared.lock();
        state.waiting += 1;
        self.shared.changed.notify_all();
        let taken = loop {
            if state.stopping {
                break Err(Error::ShutDown);
            }
            if let Some(ready) = state.ready.pop_front() {
                break Ok(ready);
            }
            if let Some(error) = state.failures.pop_front() {
                break Err(Error::Namespace(error));
            }
            state = self.shared.wait(state);
        };
        state.waiting -= 1;
        self.shared.changed.notify_all();
        taken
    }

    /// Lets all of them go, and makes no more.
    pub(crate) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        let maker = self.maker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(maker) = maker {
            let _ = maker.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}
