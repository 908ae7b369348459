//! aws-lc: assembly, several times faster than [`portable`](super::portable). Needs a C compiler.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::signature::Signature;

/// A key that is a point of the curve.
#[derive(Clone)]
pub(crate) struct ParsedKey(ParsedPublicKey);

impl ParsedKey {
    pub(crate) fn new(key: &PublicKey) -> Option<Self> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes()).ok().map(Self)
    }

    pub(crate) fn verify(&self, digest: &Digest, signature: &Signature) -> bool {
        self.0.verify_digest_sig(&import(digest), signature.r_and_s()).is_ok()
    }
}

/// "Less safe" warns of digests that an attacker chooses freely; ours come from [`Hasher`](crate::Hasher).
fn import(digest: &Digest) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::Digest::import_less_safe(digest.as_bytes(), &aws_lc_rs::digest::SHA256)
        .expect("32 bytes are a SHA-256 value")
}

/// The x coordinate of k G, and whether its y coordinate is odd.
///
/// # Panics
/// If k is not in 1..n, which callers have checked, or if there is no memory.
pub(crate) fn times_generator(k: &[u8; 32]) -> ([u8; 32], bool) {
    let key = PrivateKey::from_private_key(&ECDH_P256, k).expect("k is in 1..n");
    let point = key.compute_public_key().expect("a private key has a public key");
    match point.as_ref() {
        [4, coordinates @ .., y_end] => {
            (*coordinates.first_chunk().expect("an uncompressed point has 65 bytes"), y_end & 1 == 1)
        }
        _ => unreachable!("aws-lc writes points uncompressed"),
    }
}
