//! Account addresses.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::{CheckedHrpstring, CheckedHrpstringError};
use bech32::{Bech32m, Hrp};

use crate::digest::{Domain, digest};
use crate::error::AddressError;
use crate::fixed::serde_as_bytes_or_text;
use crate::keys::PublicKey;

const DOMAIN: Domain = Domain::new("popmarket.address.v1");
const PREFIX: Hrp = Hrp::parse_unchecked("pop");
/// `pop1`, 52 characters for 32 bytes, 6 of checksum.
const TEXT_LEN: usize = 62;

/// Names an account: the digest of its first public key, written `pop1...` (bech32m). It stays when keys change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 32]);

impl Address {
    /// How many bytes an address has.
    pub const LEN: usize = 32;

    /// The address of the account that starts with this key.
    pub fn from_public_key(key: &PublicKey) -> Self {
        Self(*digest(DOMAIN, key.as_bytes()).as_bytes())
    }

    /// Takes 32 bytes as they are, such as those of an account that belongs to no key.
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

impl FromStr for Address {
    type Err = AddressError;

    /// Accepts the one text that `Display` writes, nothing near it.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() != TEXT_LEN {
            return Err(AddressError::Length);
        }
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(AddressError::Case);
        }
        let checked = CheckedHrpstring::new::<Bech32m>(text).map_err(|e| match e {
            CheckedHrpstringError::Parse(_) => AddressError::Character,
            _ => AddressError::Checksum,
        })?;
        if checked.hrp() != PREFIX {
            return Err(AddressError::Prefix);
        }
        let mut bytes = [0; 32];
        let mut decoded = checked.byte_iter();
        for byte in &mut bytes {
            *byte = decoded.next().ok_or(AddressError::Length)?;
        }
        // The text has four bits more than the address: whatever they hold, only one text is right.
        let address = Self(bytes);
        if address.to_string() == text { Ok(address) } else { Err(AddressError::Padding) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32m, _>(f, PREFIX, &self.0).map_err(|_| fmt::Error)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl AsRef<[u8]> for Address {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

serde_as_bytes_or_text!(Address, "an address: pop1...");
