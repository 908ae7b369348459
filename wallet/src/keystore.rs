//! One secret in a file, under a password.

mod content;
mod format;
mod kdf;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use content::{Content, StoredSecret};
pub use kdf::Kdf;

use crate::error::KeystoreError;
use crate::file;
use format::Document;

/// A keystore file, read and well-formed, but still locked.
///
/// The file is JSON. Argon2id turns the password into a key for AES-256-GCM, which encrypts the secret and authenticates
/// all the rest of the file. It has mode 0600 and is replaced in one step, so a crash never leaves half a file. The
/// password is taken as it is, byte for byte.
#[derive(Clone, Debug)]
pub struct Keystore {
    path: PathBuf,
    document: Document,
}

impl Keystore {
    /// Writes `secret` to a new file.
    ///
    /// # Errors
    /// [`KeystoreError::Exists`] if there is a file at `path`, which is left as it is; [`KeystoreError::Io`];
    /// [`KeystoreError::HashPassword`].
    pub fn create<S: StoredSecret>(
        path: impl Into<PathBuf>,
        secret: &S,
        password: &str,
        kdf: Kdf,
    ) -> Result<Self, KeystoreError> {
        let path = path.into();
        if path.exists() {
            return Err(KeystoreError::Exists(path));
        }
        let document = Document::seal(secret, password, kdf)?;
        // Asks again, as someone may have been faster.
        match file::create(&path, &document.to_bytes()) {
            Ok(()) => Ok(Self { path, document }),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(KeystoreError::Exists(path)),
            Err(source) => Err(KeystoreError::Io { path, source }),
        }
    }

    /// Reads a file, without the password.
    ///
    /// # Errors
    /// [`KeystoreError::Io`], or one of those that say what is wrong with the contents.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, KeystoreError> {
        let path = path.into();
        let bytes = file::read(&path, format::MAX_BYTES)
            .map_err(|source| KeystoreError::Io { path: path.clone(), source })?;
        let document = Document::from_bytes(&bytes)?;
        Ok(Self { path, document })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says to hold. True only if [`unlock`](Self::unlock) succeeds.
    pub const fn content(&self) -> &Content {
        self.document.content()
    }

    /// The secret.
    ///
    /// # Errors
    /// [`KeystoreError::WrongPassword`], [`KeystoreError::OtherContent`] or [`KeystoreError::HashPassword`].
    pub fn unlock<S: StoredSecret>(&self, password: &str) -> Result<S, KeystoreError> {
        self.document.open(password)
    }

    /// Encrypts the secret anew and replaces the file. Who has a copy of the old file can still use the old password.
    ///
    /// # Errors
    /// Those of [`unlock`](Self::unlock) with the old password, and [`KeystoreError::Io`]. The old file stays then.
    pub fn change_password<S: StoredSecret>(
        &mut self,
        old: &str,
        new: &str,
        kdf: Kdf,
    ) -> Result<(), KeystoreError> {
        let secret: S = self.unlock(old)?;
        let document = Document::seal(&secret, new, kdf)?;
        file::replace(&self.path, &document.to_bytes())
            .map_err(|source| KeystoreError::Io { path: self.path.clone(), source })?;
        self.document = document;
        Ok(())
    }
}
