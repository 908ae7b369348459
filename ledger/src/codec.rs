//! The one byte format: canonical postcard.
//!
//! Postcard reads some values from several byte strings (a number may have leading zero groups). Here one value has one
//! encoding: bytes that would not come out again are refused.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why bytes are not the encoding of a value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// More than may be read.
    #[error("{size} bytes are more than the {max} that are allowed")]
    TooLarge {
        /// How many there are.
        size: usize,
        /// How many there may be.
        max: usize,
    },
    /// Not a value of the type.
    #[error("not readable: {0}")]
    Unreadable(#[from] postcard::Error),
    /// A value, then something more.
    #[error("{0} bytes follow after the end")]
    TrailingBytes(usize),
    /// Another spelling of a value than the one that is written.
    #[error("not the canonical encoding")]
    NotCanonical,
}

/// The canonical bytes of a value.
#[expect(
    clippy::expect_used,
    reason = "postcard fails on sequences of unknown length and foreign implementations; this crate's types have neither"
)]
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_allocvec(value).expect("types of the ledger are encodable")
}

/// Reads canonical bytes.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    let value = decode_lenient(bytes, max)?;
    if encode(&value) == bytes { Ok(value) } else { Err(DecodeError::NotCanonical) }
}

/// Reads all of `bytes`. Whoever calls it compares the encoding of the value with them.
pub(crate) fn decode_lenient<T: DeserializeOwned>(bytes: &[u8], max: usize) -> Result<T, DecodeError> {
    if bytes.len() > max {
        return Err(DecodeError::TooLarge { size: bytes.len(), max });
    }
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::TrailingBytes(rest.len())) }
}
