//! What can go wrong.

use std::io;
use std::path::PathBuf;

use pbft_crypto::Address;
use thiserror::Error;

/// Parameters of the password hash that are not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KdfError {
    /// Too little to slow down who guesses, or so much that reading a file would exhaust the machine.
    #[error("memory of {0} KiB is not between 7168 and 1048576")]
    Memory(u32),
    /// As for the memory.
    #[error("{0} iterations are not between 1 and 16")]
    Iterations(u32),
    /// As for the memory.
    #[error("{0} lanes are not between 1 and 8")]
    Lanes(u32),
}

/// Why a keystore cannot be made, read or opened.
#[derive(Debug, Error)]
pub enum KeystoreError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// There is a file already, which may hold the only copy of a key.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Not a keystore file at all, or a damaged one.
    #[error("not a keystore: {0}")]
    NotAKeystore(#[from] serde_json::Error),
    /// A keystore, but not byte for byte as one is written.
    #[error("the keystore was changed since it was written")]
    Altered,
    /// Written by a later version of this program.
    #[error("version {0} of the keystore format is not known")]
    UnknownVersion(u32),
    /// Asks for work that is not allowed.
    #[error(transparent)]
    Kdf(#[from] KdfError),
    /// There is not enough memory to hash the password.
    #[error("not enough memory to hash the password: {0}")]
    HashPassword(argon2::Error),
    /// The contents cannot be decrypted. The two cases look the same from outside.
    #[error("the password is wrong, or the keystore is damaged")]
    WrongPassword,
    /// Holds another kind of secret than is asked for.
    #[error("the keystore holds another kind of secret")]
    OtherContent,
}

/// Why the custody cannot do something.
#[derive(Debug, Error)]
pub enum CustodyError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The folder was begun with another master key.
    #[error("the master key is not the one of this folder")]
    WrongMasterKey,
    /// The folder holds keys, but not the file that tells whether a master key is theirs.
    #[error("{} is missing, so the master key cannot be checked", .0.display())]
    CheckMissing(PathBuf),
    /// No key is kept for the account.
    #[error("no key is kept for {0}")]
    UnknownAccount(Address),
    /// A key is kept for the account.
    #[error("a key is kept for {0} already")]
    AlreadyKept(Address),
    /// The file of the account's key was changed since it was written.
    #[error("the key of {0} is damaged")]
    Damaged(Address),
}

/// Why there is no nonce to hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NonceError {
    /// The account has as many transactions in flight as the ledger's window has room for.
    #[error("all nonces of the window from {base} are used or in flight")]
    WindowFull {
        /// The lowest unused nonce.
        base: u64,
    },
    /// As many accounts as are tracked have transactions in flight.
    #[error("too many accounts have transactions in flight")]
    TooManyAccounts,
}

/// Why a draft is not signed.
#[derive(Debug, Error)]
pub enum SignError<E> {
    /// There is no nonce for it.
    #[error(transparent)]
    Nonce(#[from] NonceError),
    /// The signer refuses.
    #[error("cannot sign: {0}")]
    Signer(E),
}
