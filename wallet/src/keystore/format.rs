//! The bytes of a keystore file.
//!
//! ```json
//! {
//!   "header": {
//!     "format": "popmarket_keystore",
//!     "version": 1,
//!     "content": { "kind": "p256_key", "public_key": "03..." },
//!     "kdf": { "name": "argon2id", "memory_kib": 65536, "iterations": 3, "lanes": 1, "salt": "..." },
//!     "cipher": "aes256_gcm"
//!   },
//!   "sealed": { "nonce": "...", "ciphertext": "...", "tag": "..." }
//! }
//! ```
//! The authenticated data is the header as JSON without white space. A file that differs in any byte from what would be
//! written is refused, be it only in white space or in the case of a hex digit: so no bit can flip unnoticed.

use serde::{Deserialize, Serialize};

use super::{Content, Kdf, StoredSecret};
use crate::cipher::{Cipher, Sealed, random};
use crate::error::KeystoreError;

/// The most bytes that a keystore file may have; it has less than a thousand.
pub(super) const MAX_BYTES: usize = 4096;
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    header: Header,
    sealed: Sealed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: Format,
    version: u32,
    content: Content,
    kdf: KdfHeader,
    cipher: CipherName,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KdfHeader {
    name: KdfName,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
    #[serde(with = "hex::serde")]
    salt: [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    PopmarketKeystore,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KdfName {
    Argon2id,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CipherName {
    Aes256Gcm,
}

/// What every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    header: AnyHeader,
}

#[derive(Deserialize)]
struct AnyHeader {
    #[serde(rename = "format")]
    _format: Format,
    version: u32,
}

impl Document {
    pub(super) fn seal<S: StoredSecret>(secret: &S, password: &str, kdf: Kdf) -> Result<Self, KeystoreError> {
        let salt = random();
        let header = Header {
            format: Format::PopmarketKeystore,
            version: VERSION,
            content: secret.content(),
            kdf: KdfHeader {
                name: KdfName::Argon2id,
                memory_kib: kdf.memory_kib(),
                iterations: kdf.iterations(),
                lanes: kdf.lanes(),
                salt,
            },
            cipher: CipherName::Aes256Gcm,
        };
        let cipher = Cipher::new(&*kdf.derive(password, &salt)?);
        let sealed = cipher.seal(&secret.secret_bytes(), random(), &header.to_bytes());
        Ok(Self { header, sealed })
    }

    pub(super) fn open<S: StoredSecret>(&self, password: &str) -> Result<S, KeystoreError> {
        let KdfHeader { memory_kib, iterations, lanes, salt, .. } = &self.header.kdf;
        let kdf = Kdf::new(*memory_kib, *iterations, *lanes)?;
        let cipher = Cipher::new(&*kdf.derive(password, salt)?);
        let secret =
            cipher.open(&self.sealed, &self.header.to_bytes()).ok_or(KeystoreError::WrongPassword)?;
        S::restore(&self.header.content, &secret).ok_or(KeystoreError::OtherContent)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, KeystoreError> {
        if bytes.len() > MAX_BYTES {
            return Err(KeystoreError::Altered);
        }
        let any: AnyVersion = serde_json::from_slice(bytes)?;
        if any.header.version != VERSION {
            return Err(KeystoreError::UnknownVersion(any.header.version));
        }
        let document: Self = serde_json::from_slice(bytes)?;
        let KdfHeader { memory_kib, iterations, lanes, .. } = document.header.kdf;
        Kdf::new(memory_kib, iterations, lanes)?;
        if document.to_bytes() == bytes { Ok(document) } else { Err(KeystoreError::Altered) }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("structs of numbers and texts become JSON");
        bytes.push(b'\n');
        bytes
    }

    pub(super) const fn content(&self) -> &Content {
        &self.header.content
    }
}

impl Header {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("structs of numbers and texts become JSON")
    }
}
