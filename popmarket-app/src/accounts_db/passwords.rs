//! Passwords, and what is kept of them.

use argon2::{Algorithm, Argon2, Params, Version};
use thiserror::Error;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::AccountsError;

/// Passwords that are hashed at a time. Each takes 19 MiB and some 20 ms of a processor.
const PARALLEL: usize = 2;
/// Passwords that may wait for their turn.
const MAX_WAITING: usize = 64;
/// The one way of hashing so far.
const SCHEME: u32 = 1;

/// What a member proves itself with: 8 to 128 characters. Wiped when dropped.
pub struct Password(Zeroizing<String>);

/// Not 8 to 128 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a password has 8 to 128 characters")]
pub struct WeakPassword;

impl Password {
    /// Checks the length and wraps it.
    ///
    /// # Errors
    /// [`WeakPassword`].
    pub fn new(text: String) -> Result<Self, WeakPassword> {
        let password = Self(Zeroizing::new(text));
        if (8..=128).contains(&password.0.chars().count()) { Ok(password) } else { Err(WeakPassword) }
    }
}

/// What is kept of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PasswordRecord {
    pub(super) scheme: u32,
    pub(super) salt: Vec<u8>,
    pub(super) hash: Vec<u8>,
}

/// Hashes passwords, a few at a time.
pub(super) struct Hashing {
    running: Semaphore,
    waiting: Semaphore,
    /// Compared with if there is no such member, so that this takes as long.
    nobody: PasswordRecord,
}

impl Hashing {
    pub(super) fn new() -> Result<Self, AccountsError> {
        let salt = random_salt();
        let hash = hash("nobody's password", SCHEME, &salt)?;
        let nobody = PasswordRecord { scheme: SCHEME, salt: salt.to_vec(), hash };
        Ok(Self { running: Semaphore::new(PARALLEL), waiting: Semaphore::new(MAX_WAITING), nobody })
    }

    /// What to keep of a new password.
    pub(super) async fn record(&self, password: &Password) -> Result<PasswordRecord, AccountsError> {
        let salt = random_salt();
        let hash = self.run(password, SCHEME, salt.to_vec()).await?;
        Ok(PasswordRecord { scheme: SCHEME, salt: salt.to_vec(), hash })
    }

    /// Whether it is the password that was kept. Without a record it is not, but that takes as long.
    pub(super) async fn check(
        &self,
        password: &Password,
        record: Option<&PasswordRecord>,
    ) -> Result<bool, AccountsError> {
        let compared = record.unwrap_or(&self.nobody);
        let hash = self.run(password, compared.scheme, compared.salt.clone()).await?;
        // Every byte counts, wherever the first difference is.
        let difference = hash.iter().zip(&compared.hash).fold(0, |all, (a, b)| all | (a ^ b));
        Ok(difference == 0 && hash.len() == compared.hash.len() && record.is_some())
    }

    async fn run(&self, password: &Password, scheme: u32, salt: Vec<u8>) -> Result<Vec<u8>, AccountsError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| AccountsError::Busy)?;
        let _running = self.running.acquire().await.map_err(|_| AccountsError::Busy)?;
        let password = password.0.clone();
        let work = tokio::task::spawn_blocking(move || hash(&password, scheme, &salt));
        work.await.map_err(|_| AccountsError::Busy)?
    }
}

fn random_salt() -> [u8; 16] {
    let mut salt = [0; 16];
    #[expect(clippy::expect_used, reason = "without random numbers there is no key and no session either")]
    getrandom::fill(&mut salt).expect("the operating system has random numbers");
    salt
}

fn hash(password: &str, scheme: u32, salt: &[u8]) -> Result<Vec<u8>, AccountsError> {
    if scheme != SCHEME {
        return Err(AccountsError::Damaged("the scheme of a password"));
    }
    let params = Params::new(19 * 1024, 2, 1, None).map_err(AccountsError::Hash)?;
    let mut hash = vec![0; 32];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(password.as_bytes(), salt, &mut hash).map_err(AccountsError::Hash)?;
    Ok(hash)
}
