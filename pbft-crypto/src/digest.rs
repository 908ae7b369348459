//! SHA-256, with a tag for what the digest is for.
//!
//! By the `sha2` crate: as fast as aws-lc here on 64 bytes (95 to 90 ns) and on 1 MiB (equal), and it needs no heap.

use std::convert::Infallible;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::error::HexError;
use crate::fixed::{from_hex, serde_as_bytes_or_text, show_as_hex};

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// How many bytes a digest has.
    pub const LEN: usize = 32;
    /// All zero: stands for "none", such as the parent of the first block. Nobody knows bytes that hash to it.
    pub const ZERO: Self = Self([0; 32]);

    /// Takes 32 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn shape(bytes: [u8; 32]) -> Result<Self, Infallible> {
        Ok(Self(bytes))
    }

    fn parse_shape(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FromStr for Digest {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        from_hex(text).map(Self)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

show_as_hex!(Digest);
serde_as_bytes_or_text!(Digest, "64 hex digits");

/// What a digest is for. Two domains never share a digest, so nothing signed or hashed for one purpose can be passed off
/// as something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain(&'static str);

impl Domain {
    /// A domain by its tag, 1 to 255 bytes, such as `"pbft.prepare.v1"`.
    ///
    /// # Panics
    /// If the tag is empty or longer. Make domains `const`, then that is an error of the compiler.
    pub const fn new(tag: &'static str) -> Self {
        assert!(!tag.is_empty() && tag.len() <= 255, "a domain's tag has 1 to 255 bytes");
        Self(tag)
    }

    /// The tag.
    pub const fn tag(self) -> &'static str {
        self.0
    }
}

/// Makes a [`Digest`] in steps.
///
/// # What is hashed
/// | bytes | what |
/// | --- | --- |
/// | 1 | length of the tag |
/// | 1 to 255 | the tag, UTF-8 |
/// | rest | all updates, one after the other, with nothing in between |
///
/// As the length comes first, no tag with its data can be read as another tag with other data. Updates leave no trace of
/// where one ends: give parts of varying length their length first ([`update_u64`](Self::update_u64)), or hash a
/// self-delimiting encoding.
#[derive(Clone)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts a digest for `domain`.
    #[expect(clippy::cast_possible_truncation, reason = "`Domain::new` refuses tags above 255 bytes")]
    pub fn new(domain: Domain) -> Self {
        let mut state = Sha256::new();
        state.update([domain.0.len() as u8]);
        state.update(domain.0);
        Self(state)
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// Adds a number as 8 bytes, big endian.
    pub fn update_u64(&mut self, number: u64) -> &mut Self {
        self.update(&number.to_be_bytes())
    }

    /// The digest of all that was added so far.
    pub fn finish(&self) -> Digest {
        Digest(self.0.clone().finalize().into())
    }
}

/// The digest of `bytes` for one purpose: [`Hasher`] in one call.
pub fn digest(domain: Domain, bytes: &[u8]) -> Digest {
    Hasher::new(domain).update(bytes).finish()
}

/// Plain SHA-256, for what other programs must be able to compute (file hashes, WebAuthn). Else use [`digest`].
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}
