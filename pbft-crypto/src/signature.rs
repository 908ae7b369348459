//! The bytes of a signature.

use std::str::FromStr;

use crate::error::SignatureError;
use crate::fixed::{from_hex, serde_as_bytes_or_text, show_as_hex};

/// The order n of the P-256 group, big endian.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
    0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// floor(n / 2), big endian: the highest `s` that is accepted.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde,
    0x73, 0x7d, 0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];

/// An ECDSA signature over P-256.
///
/// | bytes | what |
/// | --- | --- |
/// | 0..32 | `r`, big endian |
/// | 32..64 | `s`, big endian |
/// | 64 | hint: 1 if the y coordinate of R is odd, else 0 |
///
/// A value of this type has the right shape (length, hint 0 or 1); whether `r` and `s` are in range is part of
/// [`verify`](crate::verify), so that a high `s` gets its own error. Comparing two signatures compares the hint too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 65]);

impl Signature {
    /// How many bytes a signature has.
    pub const LEN: usize = 65;

    /// Reads the 65 bytes of the table above.
    ///
    /// # Errors
    /// [`SignatureError::Length`] or [`SignatureError::Hint`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        Self::shape(bytes.try_into().map_err(|_| SignatureError::Length)?)
    }

    /// A signature from another program (IEEE P1363 form: `r`, then `s`), which knows no hint: it is set to "even".
    /// Web browsers and hardware keys give a high `s` half of the time: see [`to_low_s`](Self::to_low_s).
    pub fn from_r_and_s(r: &[u8; 32], s: &[u8; 32]) -> Self {
        let mut bytes = [0; 65];
        let (halves, _) = bytes.split_at_mut(64);
        let (low, high) = halves.split_at_mut(32);
        low.copy_from_slice(r);
        high.copy_from_slice(s);
        Self(bytes)
    }

    /// All 65 bytes.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// `r`, big endian.
    pub fn r(&self) -> &[u8; 32] {
        self.0.first_chunk().expect("65 bytes hold 32")
    }

    /// `s`, big endian.
    pub fn s(&self) -> &[u8; 32] {
        let (_, rest) = self.0.split_first_chunk::<32>().expect("65 bytes hold 32");
        rest.first_chunk().expect("33 bytes hold 32")
    }

    /// `r` and `s`, the IEEE P1363 form.
    pub fn r_and_s(&self) -> &[u8; 64] {
        self.0.first_chunk().expect("65 bytes hold 64")
    }

    /// Whether the y coordinate of R is said to be odd. May be wrong in what others send.
    pub const fn hint(&self) -> bool {
        self.0[64] == 1
    }

    /// The same signature with another hint.
    #[must_use]
    pub const fn with_hint(mut self, odd: bool) -> Self {
        self.0[64] = odd as u8;
        self
    }

    /// The twin with `s` in the lower half; also turns the hint round, as R becomes -R. A low `s` stays as it is.
    ///
    /// # Errors
    /// [`SignatureError::OutOfRange`] if `r` or `s` is not in 1..n.
    pub fn to_low_s(self) -> Result<Self, SignatureError> {
        match self.check_range() {
            Ok(()) => Ok(self),
            Err(SignatureError::HighS) => {
                let twin = Self::from_r_and_s(self.r(), &order_minus(self.s()));
                Ok(twin.with_hint(!self.hint()))
            }
            Err(other) => Err(other),
        }
    }

    /// `r` in 1..n and `s` in 1..=n/2. Equally long big-endian numbers compare as their bytes do.
    pub(crate) fn check_range(&self) -> Result<(), SignatureError> {
        let in_range = |number: &[u8; 32]| *number != [0; 32] && *number < ORDER;
        if !in_range(self.r()) || !in_range(self.s()) {
            Err(SignatureError::OutOfRange)
        } else if *self.s() > HALF_ORDER {
            Err(SignatureError::HighS)
        } else {
            Ok(())
        }
    }

    fn shape(bytes: [u8; 65]) -> Result<Self, SignatureError> {
        if bytes[64] > 1 { Err(SignatureError::Hint) } else { Ok(Self(bytes)) }
    }

    fn parse_shape(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// n - s for s in 1..n.
fn order_minus(s: &[u8; 32]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = false;
    for ((out, a), b) in difference.iter_mut().zip(ORDER).zip(s).rev() {
        let (d, under) = a.overflowing_sub(*b);
        let (d, under_again) = d.overflowing_sub(u8::from(borrow));
        *out = d;
        borrow = under || under_again;
    }
    difference
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        Self::shape(from_hex(text)?)
    }
}

show_as_hex!(Signature);
serde_as_bytes_or_text!(Signature, "a signature as 130 hex digits, the last two 00 or 01");
