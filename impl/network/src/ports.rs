//! The host's ports.

use crate::{Error, HostPort, PortRange, Protocol};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The host's ports that containers have, per protocol and address of the host. Ports that name no number count up and
/// are not reused at once (recording `network/ephemeral-ports`).
#[derive(Debug, Default)]
pub(crate) struct Ports(Mutex<HashMap<(Protocol, IpAddr), State>>);

#[derive(Debug, Default)]
struct State {
    used: BTreeSet<u16>,
    last: HashMap<PortRange, u16>,
}

/// A port in use; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Taken {
    ports: Arc<Ports>,
    pub(crate) protocol: Protocol,
    pub(crate) address: IpAddr,
    pub(crate) number: u16,
}

impl Ports {
    /// A free port. `ephemeral`: where [`HostPort::Any`] looks.
    pub(crate) fn take(
        self: &Arc<Self>,
        protocol: Protocol,
        address: IpAddr,
        wanted: HostPort,
        ephemeral: PortRange,
    ) -> Result<Taken, Error> {
        let mut all = self.lock();
        let state = all.entry((protocol, address)).or_default();
        let number = match wanted {
            HostPort::Exactly(port) if state.used.contains(&port) => return Err(Error::PortTaken { address, port }),
            HostPort::Exactly(port) => port,
            HostPort::Range(range) => {
                (range.first..=range.last).find(|port| !state.used.contains(port)).ok_or(Error::PortsUsedUp(address))?
            }
            HostPort::Any => {
                let last = state.last.get(&ephemeral).copied().filter(|last| *last < ephemeral.last);
                let start = last.map_or(ephemeral.first, |last| last + 1);
                let port = (start..=ephemeral.last)
                    .chain(ephemeral.first..start)
                    .find(|port| !state.used.contains(port))
                    .ok_or(Error::PortsUsedUp(address))?;
                state.last.insert(ephemeral, port);
                port
            }
        };
        state.used.insert(number);
        Ok(Taken { ports: Arc::clone(self), protocol, address, number })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Protocol, IpAddr), State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(state) = self.ports.lock().get_mut(&(self.protocol, self.address)) {
            state.used.remove(&self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn take(ports: &Arc<Ports>, address: IpAddr, wanted: HostPort) -> Result<Taken, Error> {
        ports.take(Protocol::Tcp, address, wanted, PortRange::EPHEMERAL)
    }

    #[test]
    fn ephemeral_ports_count_up_per_protocol_and_address() {
        let ports = Arc::default();
        let first = take(&ports, ANY, HostPort::Any).unwrap();
        assert_eq!(first.number, 32768);
        drop(first);
        assert_eq!(take(&ports, ANY, HostPort::Any).unwrap().number, 32769);
        assert_eq!(take(&ports, LOOPBACK, HostPort::Any).unwrap().number, 32768);
        assert_eq!(ports.take(Protocol::Udp, ANY, HostPort::Any, PortRange::EPHEMERAL).unwrap().number, 32768);
        assert_eq!(ports.take(Protocol::Tcp, ANY, HostPort::Any, PortRange::OLD_EPHEMERAL).unwrap().number, 49153);
    }

    #[test]
    fn a_port_has_one_owner_until_it_is_dropped() {
        let ports = Arc::default();
        let owner = take(&ports, ANY, HostPort::Exactly(8080)).unwrap();
        assert!(matches!(take(&ports, ANY, HostPort::Exactly(8080)), Err(Error::PortTaken { port: 8080, .. })));
        drop(owner);
        take(&ports, ANY, HostPort::Exactly(8080)).unwrap();
    }

    #[test]
    fn a_range_gives_its_first_free_port_and_then_none() {
        let ports = Arc::default();
        let range = HostPort::Range(PortRange { first: 9100, last: 9101 });
        let held: Vec<_> = (0..2).map(|_| take(&ports, ANY, range).unwrap()).collect();
        assert_eq!(held.iter().map(|taken| taken.number).collect::<Vec<_>>(), [9100, 9101]);
        assert!(matches!(take(&ports, ANY, range), Err(Error::PortsUsedUp(_))));
    }

    #[test]
    fn ephemeral_ports_wrap_around_past_those_in_use() {
        let ports: Arc<Ports> = Arc::default();
        let range = PortRange { first: 10, last: 12 };
        let any = || ports.take(Protocol::Tcp, ANY, HostPort::Any, range).map(|taken| (taken.number, taken));
        let (_, kept) = any().unwrap();
        let numbers: Vec<_> = (0..4).map(|_| any().unwrap().0).collect();
        assert_eq!(numbers, [11, 12, 11, 12]);
        drop(kept);
        assert_eq!(any().unwrap().0, 10);
    }
}
