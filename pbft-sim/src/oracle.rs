//! Signatures. In most seeds an ideal oracle: signing and checking are one hash, and nobody can forge, because nobody but
//! the oracle's own code computes it. In a small share of seeds the real thing, P-256.

use std::sync::Arc;

use pbft_core::{
    crypto::{Crypto, P256Crypto, SignatureCheck},
    wire,
};
use pbft_crypto::{Digest, Domain, Hasher, KeyPair, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Which signatures a run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signatures {
    /// The oracle.
    Ideal,
    /// P-256.
    P256,
}

/// One replica's side of the oracle.
#[derive(Debug)]
pub struct IdealCrypto {
    key: PublicKey,
}

const ORACLE_DOMAIN: Domain = Domain::new("pbft-sim/oracle/v1");

fn ideal_signature(key: &PublicKey, digest: &Digest) -> Signature {
    let tag = Hasher::new(ORACLE_DOMAIN).update(key.as_bytes()).update(digest.as_bytes()).finish();
    Signature::from_r_and_s(tag.as_bytes(), &[1; 32])
}

impl Crypto for IdealCrypto {
    fn public_key(&self) -> PublicKey {
        self.key
    }

    fn sign(&self, digest: &Digest) -> Signature {
        ideal_signature(&self.key, digest)
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        // As with real ones, the hint decides nothing.
        let hint = check.signature.hint();
        ideal_signature(&check.key, &check.digest).with_hint(hint) == check.signature
    }
}

/// A broken one that believes everything. See [`crate::sabotage::Sabotage::TrustAnySignature`].
#[derive(Debug)]
pub struct Gullible<C>(pub C);

impl<C: Crypto> Crypto for Gullible<C> {
    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.0.sign(digest)
    }

    fn verify(&self, _check: &SignatureCheck) -> bool {
        true
    }
}

/// A replica's key and the means to sign with it.
pub type Identity = (PublicKey, Arc<dyn Crypto>);

/// The keys of a cluster.
#[must_use]
pub fn identities(kind: Signatures, n: u16, seed: u64) -> Vec<Identity> {
    let mut rng = Rng::stream(seed, "keys");
    (0..n).map(|_| identity(kind, &mut rng)).collect()
}

fn identity(kind: Signatures, rng: &mut Rng) -> Identity {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&rng.next().to_le_bytes());
    }
    match kind {
        Signatures::P256 => {
            // The first bit decides that the number is below the order of the curve.
            bytes[0] &= 0x7f;
            let pair = KeyPair::from_secret_bytes(&bytes).expect("a number in 1..n");
            (pair.public_key(), Arc::new(P256Crypto::new(pair)))
        }
        Signatures::Ideal => {
            let encoded: Vec<u8> = [wire::WIRE_VERSION, 2].into_iter().chain(bytes).collect();
            let key: PublicKey = wire::decode(&encoded).expect("33 bytes in the shape of a key");
            (key, Arc::new(IdealCrypto { key }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_accept_their_own_and_refuse_others() {
        for kind in [Signatures::Ideal, Signatures::P256] {
            let [(key, crypto), (other, _)] = &identities(kind, 2, 5)[..] else { panic!("two") };
            let digest = Digest::from_bytes([7; 32]);
            let signature = crypto.sign(&digest);
            let check = |key: &PublicKey, digest| SignatureCheck { key: *key, digest, signature };
            assert!(crypto.verify(&check(key, digest)));
            let signature = signature.with_hint(!signature.hint());
            assert!(crypto.verify(&SignatureCheck { key: *key, digest, signature }), "{kind:?}");
            assert!(!crypto.verify(&check(other, digest)), "{kind:?}");
            assert!(!crypto.verify(&check(key, Digest::from_bytes([8; 32]))), "{kind:?}");
        }
    }
}
