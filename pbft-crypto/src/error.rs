//! What can be wrong with bytes that come from outside.

use thiserror::Error;

/// Text that is not the hex form of a fixed number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected {expected} bytes as {} hex digits", expected * 2)]
pub struct HexError {
    /// How many bytes the text should hold.
    pub expected: usize,
}

/// Bytes that are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Neither a compressed nor an uncompressed point of the curve.
    #[error("not a point of the P-256 curve in SEC 1 form")]
    NotAPoint,
    /// Zero, or not below the order of the curve.
    #[error("the secret is not a number from 1 to n - 1")]
    SecretOutOfRange,
    /// Not the secret key of a P-256 key pair in a text of PKCS #8, without a password.
    #[error("not a P-256 secret key in PEM (PKCS #8, without a password)")]
    Pem,
    /// Not the hex form of a key.
    #[error(transparent)]
    Hex(#[from] HexError),
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Not 65 bytes.
    #[error("a signature has 65 bytes")]
    Length,
    /// The last byte is neither 0 nor 1.
    #[error("the hint byte of a signature is 0 or 1")]
    Hint,
    /// `r` or `s` is not in 1..n.
    #[error("r or s is not a number from 1 to n - 1")]
    OutOfRange,
    /// `s` is in the upper half of its range, so this is the twin of a good signature or of none.
    #[error("s is above n / 2")]
    HighS,
    /// The public key is not a point of the curve.
    #[error("the public key is not a point of the curve")]
    BadKey,
    /// Well-formed, but not made by this key for this digest.
    #[error("the signature does not match the key and the digest")]
    Mismatch,
    /// Not the hex form of a signature.
    #[error(transparent)]
    Hex(#[from] HexError),
}

/// Why a text is not an account address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Not as long as every address.
    #[error("an address has 62 characters")]
    Length,
    /// Upper-case letters: bech32m allows them, but one account has one spelling here.
    #[error("an address is written in lower case")]
    Case,
    /// A character outside of the bech32 alphabet, or no separator.
    #[error("not a bech32m text")]
    Character,
    /// A bech32m text for another purpose.
    #[error("an address begins with pop1")]
    Prefix,
    /// Mistyped.
    #[error("the checksum of the address does not match: it was mistyped")]
    Checksum,
    /// The unused last bits are not zero.
    #[error("the padding bits of the address are not zero")]
    Padding,
}
