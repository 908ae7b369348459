//! The keys of many members, kept by a server for them.

mod cache;
mod master_key;

use std::fmt;
use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ledger::{Body, Transaction};
use pbft_crypto::{Address, KeyPair, PublicKey};

use crate::cipher::{Cipher, Sealed, random};
use crate::error::CustodyError;
use crate::file;
use cache::KeyCache;
pub use master_key::MasterKey;

const CHECK_CONTEXT: &[u8] = b"popmarket.custody.check.v1";
const KEY_CONTEXT: &[u8] = b"popmarket.custody.key.v1";
const VERSION: u8 = 1;

/// A folder of secret keys, each in a file of its own, encrypted under one master key.
///
/// | file | bytes |
/// | --- | --- |
/// | `check` | 32 zero bytes, sealed: tells whether a master key is the one of this folder |
/// | `keys/pop1...` | the secret key of the account that starts with this key, sealed |
///
/// | sealed: bytes | what |
/// | --- | --- |
/// | 1 | version, 1 |
/// | 12 | nonce, random |
/// | 32 | ciphertext, AES-256-GCM |
/// | 16 | tag |
///
/// The authenticated data of a key is `popmarket.custody.key.v1` and the 32 bytes of its address, so that the files of
/// two members cannot be exchanged. Files are written once, in one step, with mode 0600; nothing but the cache is held in
/// memory, so several processes can use one folder. Threads share a `Custody` by reference.
pub struct Custody {
    folder: PathBuf,
    cipher: Cipher,
    cache: Mutex<KeyCache>,
}

impl Custody {
    /// Opens a folder, or begins it if it does not exist or is empty. `cached` keys are kept decrypted in memory.
    ///
    /// # Errors
    /// [`CustodyError::WrongMasterKey`], [`CustodyError::CheckMissing`] or [`CustodyError::Io`].
    #[expect(clippy::needless_pass_by_value, reason = "so that the master key is wiped afterwards")]
    pub fn open(
        folder: impl Into<PathBuf>,
        master_key: MasterKey,
        cached: NonZeroUsize,
    ) -> Result<Self, CustodyError> {
        let folder = folder.into();
        let cipher = Cipher::new(master_key.as_bytes());
        let custody = Self { folder, cipher, cache: Mutex::new(KeyCache::new(cached)) };
        let keys = custody.folder.join("keys");
        file::create_folder(&custody.folder).map_err(io_at(&custody.folder))?;
        file::create_folder(&keys).map_err(io_at(&keys))?;
        custody.check_master_key(&keys)?;
        Ok(custody)
    }

    /// Makes a key for a new member and keeps it. Its [`Address`] names it from now on.
    ///
    /// # Errors
    /// [`CustodyError::Io`].
    pub fn create_key(&self) -> Result<PublicKey, CustodyError> {
        let key = KeyPair::generate();
        let public_key = key.public_key();
        self.keep(key)?;
        Ok(public_key)
    }

    /// Keeps a key that comes from elsewhere. Returns the address of the account that starts with it.
    ///
    /// # Errors
    /// [`CustodyError::AlreadyKept`] or [`CustodyError::Io`].
    pub fn keep(&self, key: KeyPair) -> Result<Address, CustodyError> {
        let address = Address::from_public_key(&key.public_key());
        let sealed = self.cipher.seal(&key.secret_bytes(), random(), &key_context(&address));
        let path = self.path_of(&address);
        match file::create(&path, &to_bytes(&sealed)) {
            Ok(()) => {
                self.with_cache(|cache| cache.insert(address, Arc::new(key)));
                Ok(address)
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(CustodyError::AlreadyKept(address)),
            Err(source) => Err(CustodyError::Io { path, source }),
        }
    }

    /// The public key of an account whose key is kept.
    ///
    /// # Errors
    /// As for [`sign`](Self::sign).
    pub fn public_key(&self, account: &Address) -> Result<PublicKey, CustodyError> {
        Ok(self.key(account)?.public_key())
    }

    /// Signs with the key of the body's sender. A key that is in the cache signs without touching a file.
    ///
    /// # Errors
    /// [`CustodyError::UnknownAccount`], [`CustodyError::Damaged`] or [`CustodyError::Io`].
    pub fn sign(&self, body: Body) -> Result<Transaction, CustodyError> {
        let key = self.key(&body.sender)?;
        Ok(Transaction::sign(body, &key))
    }

    fn key(&self, account: &Address) -> Result<Arc<KeyPair>, CustodyError> {
        if let Some(key) = self.with_cache(|cache| cache.find(account)) {
            return Ok(key);
        }
        let key = Arc::new(self.load(account)?);
        self.with_cache(|cache| cache.insert(*account, Arc::clone(&key)));
        Ok(key)
    }

    fn load(&self, account: &Address) -> Result<KeyPair, CustodyError> {
        let path = self.path_of(account);
        let bytes = file::read(&path, SEALED_BYTES).map_err(|source| match source.kind() {
            ErrorKind::NotFound => CustodyError::UnknownAccount(*account),
            _ => CustodyError::Io { path, source },
        })?;
        from_bytes(&bytes)
            .and_then(|sealed| self.cipher.open(&sealed, &key_context(account)))
            .and_then(|secret| KeyPair::from_secret_bytes(&secret).ok())
            .filter(|key| Address::from_public_key(&key.public_key()) == *account)
            .ok_or(CustodyError::Damaged(*account))
    }

    /// Reads the check, or writes it if this is a new folder.
    fn check_master_key(&self, keys: &Path) -> Result<(), CustodyError> {
        let path = self.folder.join("check");
        let bytes = match file::read(&path, SEALED_BYTES) {
            Err(e) if e.kind() == ErrorKind::NotFound => self.write_check(&path, keys)?,
            read => read.map_err(io_at(&path))?,
        };
        let opened = from_bytes(&bytes).and_then(|sealed| self.cipher.open(&sealed, CHECK_CONTEXT));
        if opened.is_some() { Ok(()) } else { Err(CustodyError::WrongMasterKey) }
    }

    fn write_check(&self, path: &Path, keys: &Path) -> Result<Vec<u8>, CustodyError> {
        if keys.read_dir().map_err(io_at(keys))?.next().is_some() {
            return Err(CustodyError::CheckMissing(path.to_owned()));
        }
        let bytes = to_bytes(&self.cipher.seal(&[0; 32], random(), CHECK_CONTEXT));
        match file::create(path, &bytes) {
            Ok(()) => Ok(bytes),
            // Another process began the folder at the same time: its check decides.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                file::read(path, SEALED_BYTES).map_err(io_at(path))
            }
            Err(source) => Err(CustodyError::Io { path: path.to_owned(), source }),
        }
    }

    fn path_of(&self, account: &Address) -> PathBuf {
        self.folder.join("keys").join(account.to_string())
    }

    /// No code that holds the lock can leave the cache half changed, so a panic elsewhere does not spoil it.
    fn with_cache<T>(&self, act: impl FnOnce(&mut KeyCache) -> T) -> T {
        act(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custody").field("folder", &self.folder).finish_non_exhaustive()
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> CustodyError {
    let path = path.to_owned();
    |source| CustodyError::Io { path, source }
}

fn key_context(account: &Address) -> Vec<u8> {
    [KEY_CONTEXT, account.as_bytes()].concat()
}

const SEALED_BYTES: usize = 1 + 12 + 32 + 16;

fn to_bytes(sealed: &Sealed) -> Vec<u8> {
    [&[VERSION][..], &sealed.nonce, &sealed.ciphertext, &sealed.tag].concat()
}

fn from_bytes(bytes: &[u8]) -> Option<Sealed> {
    let (&[VERSION], rest) = bytes.split_first_chunk()? else { return None };
    let (nonce, rest) = rest.split_first_chunk()?;
    let (ciphertext, tag) = rest.split_first_chunk()?;
    Some(Sealed { nonce: *nonce, ciphertext: *ciphertext, tag: tag.try_into().ok()? })
}
