//! Which client connections wait for which replies.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pbft_crypto::Digest;

use crate::transport::ConnectionId;

/// So many requests may have someone waiting; past that the oldest are forgotten, and their clients ask again.
const MAX_WAITING: usize = 200_000;
/// A client that still waits after this long has asked again by then.
const FORGET_AFTER: Duration = Duration::from_secs(120);
/// So many connections may wait for one request.
const MAX_CONNECTIONS: usize = 8;

/// A register of waiting connections, by the digest of what they wait for. Bounded in number and age.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<Register>);

#[derive(Debug, Default)]
struct Register {
    waiting: HashMap<Digest, Waiting>,
    by_age: VecDeque<(Instant, Digest)>,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    connections: Vec<ConnectionId>,
}

impl Waiters {
    pub(crate) fn add(&self, connection: ConnectionId, request: Digest) {
        let now = Instant::now();
        let mut register = self.lock();
        let mut is_new = false;
        let waiting = register.waiting.entry(request).or_insert_with(|| {
            is_new = true;
            Waiting { since: now, connections: Vec::new() }
        });
        if !waiting.connections.contains(&connection) && waiting.connections.len() < MAX_CONNECTIONS {
            waiting.connections.push(connection);
        }
        if is_new {
            register.by_age.push_back((now, request));
        }
        register.forget_old(now);
    }

    /// Who waits for a request; nobody does any more after this.
    pub(crate) fn take(&self, request: &Digest) -> Vec<ConnectionId> {
        self.lock().waiting.remove(request).map(|waiting| waiting.connections).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        // A register that a panic left behind is at worst incomplete: clients ask again.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Register {
    fn forget_old(&mut self, now: Instant) {
        while let Some((since, request)) = self.by_age.front().copied() {
            let too_old = now.duration_since(since) > FORGET_AFTER;
            if !too_old && self.by_age.len() <= MAX_WAITING {
                return;
            }
            // It may have been answered, and be waited for again since.
            if self.waiting.get(&request).is_some_and(|waiting| waiting.since == since) {
                self.waiting.remove(&request);
            }
            self.by_age.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(number: u64) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Digest::from_bytes(bytes)
    }

    #[test]
    fn each_waiter_is_told_once() {
        let waiters = Waiters::default();
        let (a, b) = (ConnectionId::new(1), ConnectionId::new(2));
        for (connection, number) in [(a, 1), (a, 2), (a, 1), (b, 1)] {
            waiters.add(connection, request(number));
        }
        assert_eq!(waiters.take(&request(1)), [a, b]);
        assert_eq!(waiters.take(&request(1)), []);
        assert_eq!(waiters.take(&request(2)), [a]);
    }

    #[test]
    fn memory_is_bounded() {
        let waiters = Waiters::default();
        for number in 0..MAX_WAITING as u64 + 10 {
            waiters.add(ConnectionId::new(1), request(number));
        }
        assert_eq!(waiters.lock().waiting.len(), MAX_WAITING);
        assert_eq!(waiters.take(&request(0)), [], "the oldest is forgotten");
    }
}
