//! Which requests may be ordered: those with a transaction of this chain and a good signature.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use ledger::Refusal;
use pbft_core::message::Request;
use pbft_core::request_buffer::Lane;
use pbft_core::service::Admission;
use pbft_crypto::Digest;

use super::outcome::refusal_bytes;
use super::request::transaction_of;

/// How many good requests are remembered, at least. A replica sees each twice: from its sender and in a proposal.
const REMEMBERED: usize = 65_536;

/// Checks form and signature. Whether the ledger would record the transaction now does not matter here: that changes, and
/// all replicas must say the same at any time.
pub struct LedgerAdmission {
    chain_id: Digest,
    admitted: Mutex<Recent>,
}

impl LedgerAdmission {
    /// For the transactions of one chain.
    pub fn new(chain_id: Digest) -> Self {
        Self { chain_id, admitted: Mutex::new(Recent::new(REMEMBERED)) }
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let digest = request.digest();
        if self.with_admitted(|admitted| admitted.contains(&digest)) {
            return Ok(());
        }
        let transaction = transaction_of(request)?;
        transaction.check_stateless(&self.chain_id)?;
        transaction.verify_signature()?;
        self.with_admitted(|admitted| admitted.insert(digest));
        Ok(())
    }

    fn with_admitted<T>(&self, act: impl FnOnce(&mut Recent) -> T) -> T {
        act(&mut self.admitted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Admission for LedgerAdmission {
    fn admit(&self, requests: &[Request]) -> Vec<Result<Lane, Vec<u8>>> {
        requests
            .iter()
            .map(|request| self.check(request).map(|()| Lane::Normal).map_err(refusal_bytes))
            .collect()
    }
}

/// The last digests: between `capacity` and twice as many.
struct Recent {
    capacity: usize,
    newer: HashSet<Digest>,
    older: HashSet<Digest>,
}

impl Recent {
    fn new(capacity: usize) -> Self {
        Self { capacity, newer: HashSet::new(), older: HashSet::new() }
    }

    fn contains(&self, digest: &Digest) -> bool {
        self.newer.contains(digest) || self.older.contains(digest)
    }

    fn insert(&mut self, digest: Digest) {
        if self.newer.len() >= self.capacity {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_and_memory_is_bounded() {
        let digest = |n: u8| Digest::from_bytes([n; 32]);
        let mut recent = Recent::new(10);
        for n in 0..=200 {
            recent.insert(digest(n));
            let last = n.saturating_sub(9)..=n;
            assert!(last.into_iter().all(|n| recent.contains(&digest(n))), "after {n}");
            assert!(recent.newer.len() + recent.older.len() <= 20);
        }
        assert!(!recent.contains(&digest(100)));
    }
}
