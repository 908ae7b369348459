//! The key above the keys.

use std::fmt;
use std::str::FromStr;

use pbft_crypto::HexError;
use zeroize::ZeroizeOnDrop;

use crate::cipher::random;

/// The key under which a [`Custody`](crate::Custody) keeps those of its members. Keep it in a
/// [`Keystore`](crate::Keystore), or hand it in as 64 hex digits. Wiped when dropped; `Debug` shows nothing of it.
#[derive(ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    /// A new key from the operating system's random numbers.
    ///
    /// # Panics
    /// If the operating system has none: then no key is safe.
    pub fn generate() -> Self {
        Self(random())
    }

    /// Takes 32 bytes as they are. They must be random.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for MasterKey {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let mut key = Self([0; 32]);
        hex::decode_to_slice(text, &mut key.0).map_err(|_| HexError { expected: 32 })?;
        Ok(key)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").finish_non_exhaustive()
    }
}
