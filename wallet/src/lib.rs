//! Keys at rest, transactions signed, nonces tracked. No network and no clock.
//!
//! | part | for |
//! | --- | --- |
//! | [`Keystore`] | one secret in a file under a password: a member's own key, or the custody's master key |
//! | [`Custody`] | the keys of many members in a folder, ready to sign: for a server that keeps them for its members |
//! | [`NonceAllocator`] | hands out the nonces of many accounts to many threads |
//! | [`Wallet`] | a [`Signer`] (a key or a custody) with an allocator: turns a [`Draft`] into a transaction |
//!
//! ```
//! use ledger::{AccountOp, NonceWindow, UnixMillis};
//! use pbft_crypto::{Address, Digest, KeyPair};
//! use wallet::{Draft, NonceView, Wallet};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = KeyPair::generate();
//! let sender = Address::from_public_key(&key.public_key());
//! let wallet = Wallet::new(Digest::ZERO, key);
//!
//! let draft = Draft {
//!     sender,
//!     operation: AccountOp::Register { name: "alice".parse()? }.into(),
//!     valid_until: UnixMillis::new(60_000),
//!     client_ref: [0; 16],
//! };
//! // What the ledger says about the sender's nonces, and when that was true.
//! let view = NonceView { window: NonceWindow::default(), as_of: UnixMillis::new(0) };
//! let signed = wallet.sign(draft, &view)?;
//! assert_eq!(signed.transaction.body().nonce, 0);
//!
//! // Submit it; then say what became of the nonce. Dropping the lease says: nobody knows.
//! wallet.nonces().confirm(signed.lease);
//! # Ok(())
//! # }
//! ```
//!
//! Unlocking a keystore takes time and memory by design (64 MiB, and 134 ms where this was written), and all of it reads
//! and writes files: call it from a thread that may block. A custody hashes no passwords: there, it signed in 24 us with a
//! cached key, 44 us with one that it read from its file, and made and kept a new key in 0.8 ms.

mod cipher;
mod custody;
mod error;
mod file;
mod keystore;
mod nonces;
mod signer;

pub use custody::{Custody, MasterKey};
pub use error::{CustodyError, KdfError, KeystoreError, NonceError, SignError};
pub use keystore::{Content, Kdf, Keystore, StoredSecret};
pub use nonces::{NonceAllocator, NonceLease, NonceView};
pub use signer::{Draft, Signed, Signer, Wallet};
