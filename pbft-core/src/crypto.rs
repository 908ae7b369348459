//! The port to signatures, and its implementation with P-256.

use std::sync::Arc;

use pbft_crypto::{Digest, KeyPair, PublicKey, Signature};

/// One signature to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Who is said to have signed.
    pub key: PublicKey,
    /// What was signed.
    pub digest: Digest,
    /// The signature.
    pub signature: Signature,
}

/// Signs for one replica and checks anyone's signatures.
///
/// # To be correct
/// * `public_key` is the one that `sign` signs with, and always the same.
/// * `sign` depends on nothing but the key and the digest, and `verify` accepts what `sign` made. A replica that cannot
///   verify its own signatures stays silent for ever.
/// * `verify` never accepts a signature that the key's owner did not make: one forged vote is enough to lose agreement.
/// * `verify_many` gives the same verdicts as `verify`, in the same order. Two replicas that judge one signature
///   differently lose liveness.
pub trait Crypto: Send + Sync {
    /// Whose signatures `sign` makes. A replica to which the set of replicas gives another key has no say (RE-5).
    fn public_key(&self) -> PublicKey;

    /// Signs `digest` with this replica's key.
    fn sign(&self, digest: &Digest) -> Signature;

    /// Whether one signature is valid.
    fn verify(&self, check: &SignatureCheck) -> bool;

    /// Whether each of many signatures is valid; as long as `checks`.
    fn verify_many(&self, checks: &[SignatureCheck]) -> Vec<bool> {
        checks.iter().map(|check| self.verify(check)).collect()
    }
}

/// ECDSA on P-256: what replicas use in production.
#[derive(Debug)]
pub struct P256Crypto {
    key_pair: Arc<KeyPair>,
}

impl P256Crypto {
    /// Signs with `key_pair`.
    #[must_use]
    pub fn new(key_pair: impl Into<Arc<KeyPair>>) -> Self {
        Self { key_pair: key_pair.into() }
    }
}

impl Crypto for P256Crypto {
    fn public_key(&self) -> PublicKey {
        self.key_pair.public_key()
    }

    fn sign(&self, digest: &Digest) -> Signature {
        self.key_pair.sign(digest)
    }

    fn verify(&self, check: &SignatureCheck) -> bool {
        pbft_crypto::verify(&check.key, &check.digest, &check.signature).is_ok()
    }
}
