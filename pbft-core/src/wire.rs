//! Bytes: postcard, with a version byte in front, nothing behind, and a bound on the whole.
//!
//! The layout of each message is in the repository's `docs/FORMATS.md`, and frozen by `tests/vectors`.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::config::MAX_BATCH_BYTES;

/// The version that this crate writes, and the only one it reads.
pub const WIRE_VERSION: u8 = 1;

/// No encoded message or record is longer: the largest batch, and room for headers and certificates.
pub const MAX_ENCODED_BYTES: usize = MAX_BATCH_BYTES + (4 << 20);

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Nothing can be that long.
    #[error("{length} bytes: no message is longer than {MAX_ENCODED_BYTES}")]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// Written by another version.
    #[error("version {0:?}: only version {WIRE_VERSION} can be read")]
    Version(Option<u8>),
    /// The fields cannot be read.
    #[error("malformed: {0}")]
    Malformed(postcard::Error),
    /// Something follows the last field.
    #[error("{0} bytes after the end")]
    TrailingBytes(usize),
}

/// Encodes a message or a record.
///
/// # Errors
/// If it is longer than [`MAX_ENCODED_BYTES`]; nothing within the bounds of [`crate::Config`] is.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let bytes = postcard::to_extend(value, vec![WIRE_VERSION]).map_err(EncodeError::Unencodable)?;
    if bytes.len() > MAX_ENCODED_BYTES {
        return Err(EncodeError::TooLong { length: bytes.len() });
    }
    Ok(bytes)
}

/// Why something cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// It would be refused by [`decode`].
    #[error("{length} bytes: no message is longer than {MAX_ENCODED_BYTES}")]
    TooLong {
        /// How long it is.
        length: usize,
    },
    /// The format has no way to write it.
    #[error("cannot be encoded: {0}")]
    Unencodable(postcard::Error),
}

/// Decodes a message or a record. Never panics, and allocates no more than a small multiple of the input.
///
/// # Errors
/// If the bytes are not exactly what [`encode`] writes for some value of `T`, up to the length of integers.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_ENCODED_BYTES {
        return Err(DecodeError::TooLong { length: bytes.len() });
    }
    let (version, body) = bytes.split_first().ok_or(DecodeError::Version(None))?;
    if *version != WIRE_VERSION {
        return Err(DecodeError::Version(Some(*version)));
    }
    let (value, rest) = postcard::take_from_bytes(body).map_err(DecodeError::Malformed)?;
    match rest.len() {
        0 => Ok(value),
        length => Err(DecodeError::TrailingBytes(length)),
    }
}

/// Serde glue for `Vec<u8>` as one string of bytes (the derived form goes byte by byte).
pub mod byte_string {
    use core::fmt;

    use serde::{Deserializer, Serializer, de};

    /// Writes length and bytes.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads length and bytes.
    ///
    /// # Errors
    /// The deserializer's own.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
