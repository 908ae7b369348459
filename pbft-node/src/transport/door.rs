//! Bounds for those who have not said who they are.

use core::net::{IpAddr, Ipv6Addr};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::cut_off::CutOff;

/// Counts open connections, and strangers by address.
#[derive(Debug)]
pub(crate) struct Door {
    open: Arc<Semaphore>,
    strangers: Mutex<BTreeMap<IpAddr, usize>>,
    max_strangers: usize,
}

/// A connection's place. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _open: OwnedSemaphorePermit,
    stranger: Option<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    door: Arc<Door>,
    address: IpAddr,
}

impl Door {
    pub(crate) fn new(connections: usize, unauthenticated_per_address: usize) -> Arc<Self> {
        let open = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { open, strangers: Mutex::default(), max_strangers: unauthenticated_per_address })
    }

    /// A place for a connection from `address`.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, CutOff> {
        let open = self.open.clone().try_acquire_owned().map_err(|_| CutOff::TooManyConnections)?;
        let address = network_of(address);
        let mut strangers = self.lock();
        let count = strangers.entry(address).or_default();
        if *count >= self.max_strangers {
            return Err(CutOff::TooManyFromAddress);
        }
        *count = count.saturating_add(1);
        Ok(Place { _open: open, stranger: Some(Stranger { door: self.clone(), address }) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// It has said who it is: its address does not matter any more.
    pub(crate) fn authenticated(&mut self) {
        self.stranger = None;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut strangers = self.door.lock();
        let left = strangers.get(&self.address).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            strangers.remove(&self.address);
        } else {
            strangers.insert(self.address, left);
        }
    }
}

/// Whoever has one IPv6 address has the 2^64 around it, too.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_bounded_by_address_and_everyone_in_total() {
        let door = Door::new(4, 2);
        let mut first = door.enter(address("10.0.0.1")).unwrap();
        let _second = door.enter(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(door.enter(address("10.0.0.1")).unwrap_err(), CutOff::TooManyFromAddress);
        first.authenticated();
        let third = door.enter(address("10.0.0.1")).unwrap();
        let _fourth = door.enter(address("10.0.0.2")).unwrap();
        assert_eq!(door.enter(address("10.0.0.3")).unwrap_err(), CutOff::TooManyConnections);
        drop((first, third));
        let _fifth = door.enter(address("10.0.0.3")).unwrap();
        assert_eq!(door.lock().len(), 3);
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        let door = Door::new(10, 1);
        let _first = door.enter(address("2001:db8::1")).unwrap();
        assert_eq!(door.enter(address("2001:db8::2")).unwrap_err(), CutOff::TooManyFromAddress);
        let _other = door.enter(address("2001:db8:0:1::1")).unwrap();
    }
}
