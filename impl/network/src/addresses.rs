//! Containers' addresses.

use crate::{Cidr, Error};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The addresses of a network. They count up and are not reused before all were used (recording `network/addresses`).
#[derive(Debug)]
pub(crate) struct Addresses {
    range: Cidr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: BTreeSet<u32>,
    last: Option<u32>,
}

/// An address in use; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Lease {
    addresses: Arc<Addresses>,
    pub(crate) address: Ipv4Addr,
}

impl Addresses {
    /// Of `range`, all but its first and last one and `taken`.
    pub(crate) fn new(range: Cidr, taken: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let used = taken.into_iter().map(Ipv4Addr::to_bits).collect();
        Self { range, state: Mutex::new(State { used, last: None }) }
    }

    /// The next free one. The first of all is the network's `first`-th.
    pub(crate) fn next(self: &Arc<Self>, first: u8) -> Result<Lease, Error> {
        let low = self.range.network().to_bits().saturating_add(1);
        let high = self.range.broadcast().to_bits().saturating_sub(1);
        if low > high {
            return Err(Error::AddressesUsedUp(self.range));
        }
        let mut state = self.lock();
        let start = match state.last {
            Some(last) if last < high => last + 1,
            Some(_) => low,
            None => (low - 1 + u32::from(first)).min(high),
        };
        let free = (start..=high).chain(low..start).find(|address| !state.used.contains(address));
        let bits = free.ok_or(Error::AddressesUsedUp(self.range))?;
        state.last = Some(bits);
        state.used.insert(bits);
        Ok(Lease { addresses: Arc::clone(self), address: bits.into() })
    }

    /// One that a running container has.
    pub(crate) fn claim(self: &Arc<Self>, address: Ipv4Addr) -> Option<Lease> {
        let free = self.lock().used.insert(address.to_bits());
        free.then(|| Lease { addresses: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.addresses.lock().used.remove(&self.address.to_bits());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(range: &str, taken: &[&str]) -> Arc<Addresses> {
        Arc::new(Addresses::new(range.parse().unwrap(), taken.iter().map(|address| address.parse().unwrap())))
    }

    fn next(addresses: &Arc<Addresses>) -> (String, Lease) {
        let lease = addresses.next(1).unwrap();
        (lease.address.to_string(), lease)
    }

    #[test]
    fn addresses_count_up_and_are_not_reused_at_once() {
        let pool = addresses("172.17.42.1/16", &["172.17.42.1"]);
        let (a, kept) = next(&pool);
        let (b, gone) = next(&pool);
        drop(gone);
        let (c, _) = next(&pool);
        assert_eq!([a.as_str(), &b, &c], ["172.17.0.1", "172.17.0.2", "172.17.0.3"]);
        drop(kept);
    }

    #[test]
    fn older_daemons_begin_with_the_second() {
        let pool = addresses("172.17.42.1/16", &["172.17.42.1"]);
        assert_eq!(pool.next(2).unwrap().address, Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(pool.next(2).unwrap().address, Ipv4Addr::new(172, 17, 0, 3));
    }

    #[test]
    fn the_bridge_and_the_ends_of_the_range_are_never_given() {
        let pool = addresses("10.9.0.1/29", &["10.9.0.1"]);
        let given: Vec<_> = (0..5).map(|_| next(&pool)).collect();
        let names: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["10.9.0.2", "10.9.0.3", "10.9.0.4", "10.9.0.5", "10.9.0.6"]);
        assert!(matches!(pool.next(1), Err(Error::AddressesUsedUp(_))));
        drop(given);
        assert_eq!(next(&pool).0, "10.9.0.2");
    }

    #[test]
    fn a_claimed_address_is_passed_over() {
        let pool = addresses("10.9.0.128/30", &["10.9.0.1"]);
        let claimed = pool.claim(Ipv4Addr::new(10, 9, 0, 129)).unwrap();
        assert!(pool.claim(claimed.address).is_none());
        assert_eq!(next(&pool).0, "10.9.0.130");
        assert_eq!(next(&pool).0, "10.9.0.130");
    }

    #[test]
    fn networks_without_room_have_no_address() {
        for range in ["10.9.0.1/32", "10.9.0.0/31", "255.255.255.255/32"] {
            assert!(matches!(addresses(range, &[]).next(1), Err(Error::AddressesUsedUp(_))), "{range}");
        }
    }
}
