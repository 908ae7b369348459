//! Public and secret keys.

use std::fmt;
use std::str::FromStr;

use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use zeroize::Zeroizing;

use crate::backend::times_generator;
use crate::digest::Digest;
use crate::error::KeyError;
use crate::fixed::{from_hex, serde_as_bytes_or_text, show_as_hex};
use crate::sign::sign;
use crate::signature::Signature;

/// A public key: a point of P-256 in compressed SEC 1 form, 33 bytes.
///
/// The first byte is 2 or 3, always. Whether the rest is a point of the curve is checked by
/// [`from_sec1_bytes`](Self::from_sec1_bytes) and by `FromStr`; reading with serde does no curve arithmetic, so that
/// decoding a message stays cheap: with a key that is no point [`verify`](crate::verify) fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 33]);

impl PublicKey {
    /// How many bytes a public key has.
    pub const LEN: usize = 33;

    /// Reads a compressed (33 bytes) or uncompressed (65 bytes) point and checks that it is on the curve.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`].
    pub fn from_sec1_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let point = p256::PublicKey::from_sec1_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        Ok(Self::from_point(&point))
    }

    /// The 33 bytes.
    pub const fn as_bytes(&self) -> &[u8; 33] {
        &self.0
    }

    /// The 65 bytes of the uncompressed form, as TLS certificates have it.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`], which only a key read with serde can be.
    pub fn to_uncompressed(&self) -> Result<[u8; 65], KeyError> {
        let point = p256::PublicKey::from_sec1_bytes(&self.0).map_err(|_| KeyError::NotAPoint)?;
        let encoded = point.to_sec1_point(false);
        Ok(encoded.as_bytes().try_into().expect("an uncompressed point has 65 bytes"))
    }

    fn from_point(point: &p256::PublicKey) -> Self {
        let encoded = point.to_sec1_point(true);
        Self(encoded.as_bytes().try_into().expect("a compressed point has 33 bytes"))
    }

    fn from_coordinates(x: &[u8; 32], y_is_odd: bool) -> Self {
        let mut bytes = [if y_is_odd { 3 } else { 2 }; 33];
        let (_, rest) = bytes.split_at_mut(1);
        rest.copy_from_slice(x);
        Self(bytes)
    }

    fn shape(bytes: [u8; 33]) -> Result<Self, KeyError> {
        if matches!(bytes[0], 2 | 3) { Ok(Self(bytes)) } else { Err(KeyError::NotAPoint) }
    }

    fn parse_shape(text: &str) -> Option<Self> {
        Self::shape(from_hex(text).ok()?).ok()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_sec1_bytes(&from_hex::<33>(text)?)
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

show_as_hex!(PublicKey);
serde_as_bytes_or_text!(PublicKey, "a compressed P-256 point as 66 hex digits");

/// A secret key with its public key. Wiped from memory when dropped; `Debug` shows the public key only.
pub struct KeyPair {
    secret: SecretKey,
    public: PublicKey,
}

impl KeyPair {
    /// A new key from the operating system's random numbers.
    ///
    /// # Panics
    /// If the operating system has none: then no key is safe.
    #[cfg(feature = "native")]
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut *bytes).expect("the operating system has random numbers");
            // Fails about once in 2^32 calls.
            if let Ok(key) = Self::from_secret_bytes(&bytes) {
                return key;
            }
        }
    }

    /// The key with this secret, a big-endian number.
    ///
    /// # Errors
    /// [`KeyError::SecretOutOfRange`] if it is zero or not below the order of the curve.
    pub fn from_secret_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SecretKey::from_slice(bytes).map_err(|_| KeyError::SecretOutOfRange)?;
        let (x, y_is_odd) = times_generator(bytes);
        let public = PublicKey::from_coordinates(&x, y_is_odd);
        Ok(Self { secret, public })
    }

    /// The secret, wiped when dropped.
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes().into())
    }

    /// The public key.
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The key in the form that TLS libraries read (PKCS #8, DER), wiped when dropped.
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.secret.to_pkcs8_der().expect("a P-256 key fits into PKCS #8").to_bytes()
    }

    /// The same as text (PEM), as other programs keep keys in files; wiped when dropped.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        self.secret.to_pkcs8_pem(LineEnding::LF).expect("a P-256 key fits into PKCS #8")
    }

    /// Reads such a text, from this program or another one.
    ///
    /// # Errors
    /// [`KeyError::Pem`].
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyError> {
        let secret = SecretKey::from_pkcs8_pem(text).map_err(|_| KeyError::Pem)?;
        Self::from_secret_bytes(&Zeroizing::new(secret.to_bytes().into()))
    }

    /// Signs a digest: deterministic (RFC 6979), `s` in the lower half, the right hint.
    pub fn sign(&self, digest: &Digest) -> Signature {
        sign(&Zeroizing::new(self.secret.to_nonzero_scalar()), digest)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}
