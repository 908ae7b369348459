//! How much work it is to try a password.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::error::{KdfError, KeystoreError};

/// The least and the most memory, in KiB. Below the least, OWASP's weakest advice, a password is too easy to guess; above
/// the most, a file from elsewhere could exhaust the machine.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 7 * 1024..=1024 * 1024;
const ITERATIONS: std::ops::RangeInclusive<u32> = 1..=16;
const LANES: std::ops::RangeInclusive<u32> = 1..=8;

/// Parameters of Argon2id, within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kdf {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

impl Kdf {
    /// The least that is allowed. For tests and machines with very little memory.
    pub const LEAST: Self = Self { memory_kib: *MEMORY_KIB.start(), iterations: 1, lanes: 1 };

    /// So much memory, run over so many times, in so many parts.
    ///
    /// # Errors
    /// [`KdfError`] outside of 7 MiB to 1 GiB, 1 to 16 iterations and 1 to 8 lanes.
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, KdfError> {
        if !MEMORY_KIB.contains(&memory_kib) {
            Err(KdfError::Memory(memory_kib))
        } else if !ITERATIONS.contains(&iterations) {
            Err(KdfError::Iterations(iterations))
        } else if !LANES.contains(&lanes) {
            Err(KdfError::Lanes(lanes))
        } else {
            Ok(Self { memory_kib, iterations, lanes })
        }
    }

    /// The memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// How often it is run over.
    pub const fn iterations(self) -> u32 {
        self.iterations
    }

    /// In how many parts.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// The key that the password stands for.
    pub(crate) fn derive(
        self,
        password: &str,
        salt: &[u8; 16],
    ) -> Result<Zeroizing<[u8; 32]>, KeystoreError> {
        let mut key = Zeroizing::new([0; 32]);
        Params::new(self.memory_kib, self.iterations, self.lanes, Some(32))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon2| argon2.hash_password_into(password.as_bytes(), salt, key.as_mut_slice()))
            .map_err(KeystoreError::HashPassword)?;
        Ok(key)
    }
}

impl Default for Kdf {
    /// 64 MiB, 3 iterations, 1 lane: the second choice of RFC 9106, with one lane.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, iterations: 3, lanes: 1 }
    }
}
