//! P-256 keys, addresses, signatures and digests. Used by every other crate, knows none of them.
//!
//! | type | bytes | text form | what it is |
//! | --- | --- | --- | --- |
//! | [`Digest`] | 32 | hex | a SHA-256 value, usually made under a [`Domain`] |
//! | [`PublicKey`] | 33 | hex | a compressed SEC 1 point |
//! | [`Signature`] | 65 | hex | `r`, `s` (low half only) and one hint byte |
//! | [`Address`] | 32 | bech32m, `pop1...` | names an account by the hash of its first key |
//! | [`KeyPair`] | 32 | none | a secret key with its public key; wiped when dropped |
//!
//! In binary formats (`postcard`) each of the four public types is exactly its bytes, without a length. In formats for
//! people (JSON, TOML) each is its text form. Reading one with serde checks the shape only, not that a key is a point of
//! the curve nor that a signature holds: [`verify`] does.
//!
//! ```
//! use pbft_crypto::{Address, Domain, Hasher, KeyPair, digest, verify};
//!
//! const GREETING: Domain = Domain::new("example.greeting.v1");
//!
//! let key = KeyPair::generate();
//! let message = digest(GREETING, b"hello");
//! let signature = key.sign(&message);
//! assert_eq!(verify(&key.public_key(), &message, &signature), Ok(()));
//!
//! // Another domain, another digest: a signature for one purpose is never good for a second one.
//! let other = Hasher::new(Domain::new("example.farewell.v1")).update(b"hello").finish();
//! assert!(verify(&key.public_key(), &other, &signature).is_err());
//!
//! let address = Address::from_public_key(&key.public_key());
//! assert_eq!(address.to_string().parse(), Ok(address));
//! ```
//!
//! # Features
//! `native` (default): the curve by `aws-lc-rs`, which needs a C compiler, and random keys from the operating system. Without
//! it everything is pure Rust and several times slower, builds for wherever Rust does, and keys come from secrets only.
//!
//! # One verdict
//! Every door accepts the same signatures: `r` in 1..n, `s` in 1..=n/2, a key on the curve. The hint, the parity of the
//! y coordinate of the signature's point R, is there so that many signatures can be checked in one sum. It never changes
//! a verdict, and as anyone can flip it, it must not be part of what identifies a message.

mod address;
mod backend;
mod digest;
mod error;
mod fixed;
mod keys;
mod sign;
mod signature;
mod verify;

pub use address::Address;
pub use digest::{Digest, Domain, Hasher, digest, sha256};
pub use error::{AddressError, HexError, KeyError, SignatureError};
pub use keys::{KeyPair, PublicKey};
pub use signature::Signature;
pub use verify::{VerifyingKey, verify, verify_with_p256};
