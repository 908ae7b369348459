//! AES-256-GCM for secrets of 32 bytes.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A key, ready for use. Wiped when dropped.
pub(crate) struct Cipher(Aes256Gcm);

/// An encrypted secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// Random. One key seals less than 2^32 secrets, so that no two are ever likely to be the same.
    #[serde(with = "hex::serde")]
    pub(crate) nonce: [u8; 12],
    #[serde(with = "hex::serde")]
    pub(crate) ciphertext: [u8; 32],
    #[serde(with = "hex::serde")]
    pub(crate) tag: [u8; 16],
}

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    /// Encrypts `secret` such that it opens only together with the same `context`.
    pub(crate) fn seal(&self, secret: &[u8; 32], nonce: [u8; 12], context: &[u8]) -> Sealed {
        let mut ciphertext = *secret;
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), context, ciphertext.as_mut_slice().into())
            .expect("AES-GCM takes more than 32 bytes");
        Sealed { nonce, ciphertext, tag: tag.into() }
    }

    /// Decrypts, or says nothing about why it cannot.
    pub(crate) fn open(&self, sealed: &Sealed, context: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
        let mut secret = Zeroizing::new(sealed.ciphertext);
        self.0
            .decrypt_inout_detached(
                &sealed.nonce.into(),
                context,
                secret.as_mut_slice().into(),
                &sealed.tag.into(),
            )
            .ok()?;
        Some(secret)
    }
}

/// Bytes from the operating system's random numbers.
///
/// # Panics
/// If it has none: then no key is safe.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}
