//! `p256`: pure Rust, for wherever Rust compiles to.

use p256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::signature::Signature;

/// A key that is a point of the curve.
#[derive(Clone)]
pub(crate) struct ParsedKey(p256::ecdsa::VerifyingKey);

impl ParsedKey {
    pub(crate) fn new(key: &PublicKey) -> Option<Self> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_bytes()).ok().map(Self)
    }

    pub(crate) fn verify(&self, digest: &Digest, signature: &Signature) -> bool {
        let signature = p256::ecdsa::Signature::from_slice(signature.r_and_s());
        signature.is_ok_and(|signature| self.0.verify_prehash(digest.as_bytes(), &signature).is_ok())
    }
}

/// The x coordinate of k G, and whether its y coordinate is odd.
///
/// # Panics
/// If k is not in 1..n, which callers have checked.
#[cfg(not(feature = "native"))]
pub(crate) fn times_generator(k: &[u8; 32]) -> ([u8; 32], bool) {
    use p256::elliptic_curve::sec1::ToSec1Point;
    let secret = p256::SecretKey::from_slice(k).expect("k is in 1..n");
    let point = secret.public_key().to_sec1_point(true);
    match point.as_bytes() {
        [sign, x @ ..] => (*x.first_chunk().expect("a compressed point has 33 bytes"), *sign == 3),
        [] => unreachable!("a public key is not the point at infinity"),
    }
}
