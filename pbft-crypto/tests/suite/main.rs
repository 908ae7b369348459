//! The public behaviour of the crate, in one test binary.

mod addresses;
mod digests;
mod formats;
mod keys;
mod rfc6979;
mod signatures;
mod verdicts;
mod wycheproof;

use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar};
use pbft_crypto::{Digest, KeyPair, PublicKey, Signature, SignatureError, VerifyingKey};

/// A key that is the same in each run.
fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret_bytes(&[seed; 32]).unwrap()
}

/// The verdict, which must be the same from each of the three ways to get it.
fn verdict(key: &PublicKey, digest: &Digest, signature: &Signature) -> Result<(), SignatureError> {
    let fast = pbft_crypto::verify(key, digest, signature);
    assert_eq!(fast, pbft_crypto::verify_with_p256(key, digest, signature), "the backends disagree");
    match VerifyingKey::new(key) {
        Ok(ready) => assert_eq!(fast, ready.verify(digest, signature), "the cached key disagrees"),
        Err(e) => assert_eq!(e, SignatureError::BadKey),
    }
    fast
}

/// R of a good signature, from what is public: z/s G + r/s Q. Returns x modulo n, and whether y is odd.
fn point_r(key: &PublicKey, digest: &Digest, signature: &Signature) -> ([u8; 32], bool) {
    let scalar = |bytes: &[u8; 32]| <Scalar as Reduce<FieldBytes>>::reduce(&(*bytes).into());
    let s: NonZeroScalar = NonZeroScalar::from_repr((*signature.s()).into()).unwrap();
    let inverse = *s.invert();
    let q = ProjectivePoint::from(*p256::PublicKey::from_sec1_bytes(key.as_bytes()).unwrap().as_affine());
    let r = ProjectivePoint::GENERATOR * (scalar(digest.as_bytes()) * inverse)
        + q * (scalar(signature.r()) * inverse);
    let encoded = r.to_affine().to_sec1_point(false);
    let x: [u8; 32] = encoded.as_bytes()[1..33].try_into().unwrap();
    (FieldBytes::from(scalar(&x)).into(), encoded.as_bytes()[64] & 1 == 1)
}
