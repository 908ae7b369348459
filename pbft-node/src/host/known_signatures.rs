//! Signatures that were good once are good for ever: none is checked twice.
//!
//! A VIEW-CHANGE proves every batch that was prepared since the last checkpoint, with the votes of a quorum for each one; all
//! replicas send theirs, again in each status period until a view begins (VC-7 in docs/PROTOCOL.md), and a NEW-VIEW brings a
//! quorum of them along. Nearly all of these votes came by themselves before. To check each copy would take more processor
//! time than a small machine has, and the view would never begin.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use pbft_core::crypto::{Crypto, SignatureCheck};
use pbft_crypto::{Digest, Domain, Hasher, PublicKey, Signature};

const DOMAIN: Domain = Domain::new("pbft/known-signature/v1");

/// So many are remembered at least, and twice as many at most: the votes of a whole window of a cluster of 60.
const REMEMBERED: usize = 1 << 16;

/// Remembers which checks of signatures succeeded, and leaves the others to another implementation.
pub(crate) struct KnownSignatures {
    crypto: Arc<dyn Crypto>,
    known: Mutex<Generations>,
}

/// What was learnt lately. The older half goes when the younger one is full.
#[derive(Default)]
struct Generations {
    young: HashSet<Digest>,
    old: HashSet<Digest>,
}

impl Generations {
    fn contains(&self, name: &Digest) -> bool {
        self.young.contains(name) || self.old.contains(name)
    }

    fn insert(&mut self, name: Digest) {
        if self.young.len() >= REMEMBERED {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name);
    }
}

impl KnownSignatures {
    pub(crate) fn new(crypto: Arc<dyn Crypto>) -> Self {
        Self { crypto, known: Mutex::default() }
    }
}

impl Crypto for KnownSignatures {
    fn public_key(&self) -> PublicKey {
        self.crypto.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.crypto.sign(digest)
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        self.verify_many(std::slice::from_ref(check)).first().is_some_and(|good| *good)
    }

    fn verify_many(&self, checks: &[SignatureCheck]) -> Vec<bool> {
        let names: Vec<_> = checks.iter().map(name).collect();
        let mut verdicts: Vec<_> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            names.iter().map(|name| known.contains(name)).collect()
        };
        let new: Vec<_> = (0..checks.len()).filter(|index| !verdicts[*index]).collect();
        if new.is_empty() {
            return verdicts;
        }
        let unknown: Vec<_> = new.iter().map(|index| checks[*index].clone()).collect();
        let checked = self.crypto.verify_many(&unknown);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, good) in new.into_iter().zip(checked) {
            verdicts[index] = good;
            if good {
                known.insert(names[index]);
            }
        }
        verdicts
    }
}

/// All that a verdict depends on, to the last bit.
fn name(check: &SignatureCheck) -> Digest {
    let mut hasher = Hasher::new(DOMAIN);
    hasher.update(check.key.as_bytes()).update(check.digest.as_bytes()).update(check.signature.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use pbft_core::{conformance, crypto::P256Crypto};
    use pbft_crypto::{KeyPair, sha256};

    use super::*;

    /// Counts what it is asked to check.
    struct Counting(P256Crypto, AtomicUsize);

    impl Crypto for Counting {
        fn public_key(&self) -> pbft_crypto::PublicKey {
            self.0.public_key()
        }

        fn sign(&self, digest: &Digest) -> Signature {
            self.0.sign(digest)
        }

        fn verify(&self, check: &SignatureCheck) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.verify(check)
        }
    }

    fn key() -> KeyPair {
        KeyPair::from_secret_bytes(&[7; 32]).unwrap()
    }

    fn check(text: &[u8]) -> SignatureCheck {
        let (key, digest) = (key(), sha256(text));
        SignatureCheck { key: key.public_key(), digest, signature: key.sign(&digest) }
    }

    #[test]
    fn what_was_good_is_not_checked_again_and_what_was_bad_is() {
        let counting = Arc::new(Counting(P256Crypto::new(key()), AtomicUsize::new(0)));
        let known = KnownSignatures::new(counting.clone());
        let (good, other) = (check(b"one"), check(b"two"));
        let bad = SignatureCheck { signature: other.signature, ..good.clone() };
        let checks = [good.clone(), bad, other];
        for asked in [3, 4, 5] {
            assert_eq!(known.verify_many(&checks), [true, false, true]);
            assert_eq!(counting.1.load(Ordering::Relaxed), asked, "only the bad one is checked each time");
        }
        assert!(known.verify(&good));
        assert_eq!(counting.1.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn memory_is_bounded() {
        let mut known = Generations::default();
        let name = |number: usize| sha256(&number.to_be_bytes());
        (0..3 * REMEMBERED).for_each(|number| known.insert(name(number)));
        assert!(known.young.len() + known.old.len() <= 2 * REMEMBERED);
        assert!(known.contains(&name(3 * REMEMBERED - 1)) && !known.contains(&name(0)));
    }

    #[test]
    fn it_keeps_the_rules_of_the_port() {
        let make = |seed: u8| {
            let key = KeyPair::from_secret_bytes(&[seed; 32]).unwrap();
            let public = key.public_key();
            (public, KnownSignatures::new(Arc::new(P256Crypto::new(key))))
        };
        let ((key, signer), (other_key, other)) = (make(1), make(2));
        conformance::crypto((key, &signer), (other_key, &other)).unwrap();
    }
}
