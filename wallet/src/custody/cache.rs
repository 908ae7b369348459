//! The keys that were used last, decrypted.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pbft_crypto::{Address, KeyPair};

/// At most `capacity` keys; a new one pushes out the one that was not used for longest, which is wiped.
pub(super) struct KeyCache {
    capacity: NonZeroUsize,
    /// Counts uses. Even at a billion a second it lasts for centuries.
    clock: u64,
    keys: BTreeMap<Address, (u64, Arc<KeyPair>)>,
    by_last_use: BTreeMap<u64, Address>,
}

impl KeyCache {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self { capacity, clock: 0, keys: BTreeMap::new(), by_last_use: BTreeMap::new() }
    }

    pub(super) fn find(&mut self, account: &Address) -> Option<Arc<KeyPair>> {
        let (last_use, key) = self.keys.get_mut(account)?;
        self.by_last_use.remove(last_use);
        self.clock += 1;
        *last_use = self.clock;
        self.by_last_use.insert(self.clock, *account);
        Some(Arc::clone(key))
    }

    pub(super) fn insert(&mut self, account: Address, key: Arc<KeyPair>) {
        self.clock += 1;
        if let Some((last_use, _)) = self.keys.insert(account, (self.clock, key)) {
            self.by_last_use.remove(&last_use);
        }
        self.by_last_use.insert(self.clock, account);
        if self.keys.len() > self.capacity.get()
            && let Some((_, oldest)) = self.by_last_use.pop_first()
        {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seed: u8) -> (Address, Arc<KeyPair>) {
        let key = KeyPair::from_secret_bytes(&[seed; 32]).unwrap();
        (Address::from_public_key(&key.public_key()), Arc::new(key))
    }

    #[test]
    fn holds_those_used_last_and_no_more() {
        let [a, b, c, d] = [1, 2, 3, 4].map(entry);
        let mut cache = KeyCache::new(NonZeroUsize::new(2).unwrap());
        for (account, key) in [&a, &b] {
            cache.insert(*account, Arc::clone(key));
        }
        assert!(cache.find(&a.0).is_some());
        cache.insert(c.0, Arc::clone(&c.1));
        assert!(cache.find(&b.0).is_none(), "b was not used for longest");
        assert_eq!(cache.find(&a.0).unwrap().public_key(), a.1.public_key());
        cache.insert(c.0, Arc::clone(&c.1));
        cache.insert(d.0, Arc::clone(&d.1));
        assert!(cache.find(&a.0).is_none(), "c was put in again after a was used");
        assert!(cache.find(&c.0).is_some() && cache.find(&d.0).is_some());
        assert_eq!((cache.keys.len(), cache.by_last_use.len()), (2, 2));
        assert_eq!(Arc::strong_count(&b.1), 1, "what is pushed out is dropped");
    }
}
