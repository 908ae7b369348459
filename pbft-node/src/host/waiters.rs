//! Which client connections wait for which replies.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pbft_core::RequestId;

use crate::transport::ConnectionId;

/// So many requests may have someone waiting; past that the oldest are forgotten, and their clients ask again.
const MAX_WAITING: usize = 200_000;
/// A client that still waits after this long has asked again by then.
const FORGET_AFTER: Duration = Duration::from_secs(120);
/// So many connections may wait for one request.
const MAX_CONNECTIONS: usize = 8;

/// A register of waiting connections. Bounded in number and age.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Register>);

#[derive(Debug, Default)]
struct Register {
    connections: HashMap<RequestId, Vec<ConnectionId>>,
    by_age: VecDeque<(Instant, RequestId)>,
}

impl Waiters {
    pub(crate) fn add(&self, connection: ConnectionId, ids: impl Iterator<Item = RequestId>) {
        let now = Instant::now();
        let mut register = self.lock();
        for id in ids {
            let waiting = register.connections.entry(id).or_default();
            let is_new = waiting.is_empty();
            if !waiting.contains(&connection) && waiting.len() < MAX_CONNECTIONS {
                waiting.push(connection);
            }
            if is_new {
                register.by_age.push_back((now, id));
            }
        }
        register.forget_old(now);
    }

    /// Who waits for `id`; nobody does any more after this.
    pub(crate) fn take(&self, id: &RequestId) -> Vec<ConnectionId> {
        self.lock().connections.remove(id).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        // A register that a panic left behind is at worst incomplete: clients ask again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register {
    fn forget_old(&mut self, now: Instant) {
        while let Some((since, id)) = self.by_age.front() {
            let too_old = now.duration_since(*since) > FORGET_AFTER;
            if !too_old && self.by_age.len() <= MAX_WAITING {
                return;
            }
            self.connections.remove(id);
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use pbft_core::{ClientId, RequestNumber};

    use super::*;

    fn id(number: u64) -> RequestId {
        RequestId { client: ClientId::from_bytes([0; 32]), number: RequestNumber::new(number) }
    }

    #[test]
    fn each_waiter_is_told_once() {
        let waiters = Waiters::default();
        let (a, b) = (ConnectionId::new(1), ConnectionId::new(2));
        waiters.add(a, [id(1), id(2)].into_iter());
        waiters.add(a, [id(1)].into_iter());
        waiters.add(b, [id(1)].into_iter());
        assert_eq!(waiters.take(&id(1)), [a, b]);
        assert_eq!(waiters.take(&id(1)), []);
        assert_eq!(waiters.take(&id(2)), [a]);
    }

    #[test]
    fn memory_is_bounded() {
        let waiters = Waiters::default();
        waiters.add(ConnectionId::new(1), (0..MAX_WAITING as u64 + 10).map(id));
        assert_eq!(waiters.lock().connections.len(), MAX_WAITING);
        assert_eq!(waiters.take(&id(0)), [], "the oldest is forgotten");
    }
}
