//! Is a signature good? One answer, however it is computed.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, UnparsedPublicKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier;

use crate::digest::Digest;
use crate::error::SignatureError;
use crate::keys::PublicKey;
use crate::signature::Signature;

/// Checks one signature.
///
/// # Errors
/// [`SignatureError::OutOfRange`], [`HighS`](SignatureError::HighS), [`BadKey`](SignatureError::BadKey) or
/// [`Mismatch`](SignatureError::Mismatch); the first that applies, in this order.
pub fn verify(key: &PublicKey, digest: &Digest, signature: &Signature) -> Result<(), SignatureError> {
    signature.check_range()?;
    let unparsed = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes());
    unparsed.verify_digest(&import(digest), signature.r_and_s()).map_err(|_| match unparsed.parse() {
        Ok(_) => SignatureError::Mismatch,
        Err(_) => SignatureError::BadKey,
    })
}

/// A public key made ready for many checks. The point is decompressed once, which is a fifth of the time of
/// [`verify`](crate::verify) (measured: 14 of 70 us).
#[derive(Clone)]
pub struct VerifyingKey {
    key: PublicKey,
    parsed: ParsedPublicKey,
}

impl VerifyingKey {
    /// Decompresses the key.
    ///
    /// # Errors
    /// [`SignatureError::BadKey`] if it is not a point of the curve.
    pub fn new(key: &PublicKey) -> Result<Self, SignatureError> {
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.as_bytes())
            .map_err(|_| SignatureError::BadKey)?;
        Ok(Self { key: *key, parsed })
    }

    /// The key.
    pub const fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The same verdict as [`verify`](crate::verify).
    ///
    /// # Errors
    /// As [`verify`](crate::verify), without `BadKey`.
    pub fn verify(&self, digest: &Digest, signature: &Signature) -> Result<(), SignatureError> {
        signature.check_range()?;
        self.parsed
            .verify_digest_sig(&import(digest), signature.r_and_s())
            .map_err(|_| SignatureError::Mismatch)
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.key).finish()
    }
}

/// "Less safe" warns of digests that an attacker chooses freely; ours come from [`Hasher`](crate::Hasher).
fn import(digest: &Digest) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::Digest::import_less_safe(digest.as_bytes(), &aws_lc_rs::digest::SHA256)
        .expect("32 bytes are a SHA-256 value")
}

/// The same verdict by another library, several times slower: what tests hold [`verify`](crate::verify) against.
///
/// # Errors
/// As [`verify`](crate::verify).
pub fn verify_with_p256(
    key: &PublicKey,
    digest: &Digest,
    signature: &Signature,
) -> Result<(), SignatureError> {
    signature.check_range()?;
    let key =
        p256::ecdsa::VerifyingKey::from_sec1_bytes(key.as_bytes()).map_err(|_| SignatureError::BadKey)?;
    let signature =
        p256::ecdsa::Signature::from_slice(signature.r_and_s()).map_err(|_| SignatureError::OutOfRange)?;
    key.verify_prehash(digest.as_bytes(), &signature).map_err(|_| SignatureError::Mismatch)
}
