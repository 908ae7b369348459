//! How much of something each client holds at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::rate_limit::Client;

/// Hands out so many pieces to each client. What is held at all has to be bounded elsewhere.
#[derive(Clone)]
pub(crate) struct Quota {
    each: usize,
    held: Arc<Mutex<HashMap<Client, usize>>>,
}

impl Quota {
    /// So many for each.
    pub(crate) fn new(each: usize) -> Self {
        Self { each, held: Arc::default() }
    }

    /// Takes one, if the client may have another. It is given back when it is dropped.
    pub(crate) fn take(&self, client: Client) -> Option<Held> {
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.get(&client).copied().unwrap_or_default();
        if count >= self.each {
            return None;
        }
        all.insert(client.clone(), count.saturating_add(1));
        drop(all);
        Some(Held { quota: self.clone(), client })
    }
}

/// One of a client's pieces.
pub(crate) struct Held {
    quota: Quota,
    client: Client,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut all = self.quota.held.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(all.remove(&self.client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_its_own_and_gets_back_what_it_gives_back() {
        let quota = Quota::new(2);
        let client = |text: &str| Client::at(text.parse().unwrap());
        let (one, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let first = quota.take(one.clone()).unwrap();
        let _second = quota.take(one.clone()).unwrap();
        assert!(quota.take(one.clone()).is_none());
        let third = quota.take(other).unwrap();
        drop((first, third));
        let _again = quota.take(one.clone()).unwrap();
        assert!(quota.take(one).is_none());
        assert_eq!(quota.held.lock().unwrap().len(), 1, "who holds nothing is forgotten");
    }
}
