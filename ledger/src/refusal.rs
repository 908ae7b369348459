//! Why a transaction does not get on the chain.

use pbft_crypto::SignatureError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codec::DecodeError;
use crate::time::UnixMillis;

/// A transaction that is refused leaves no trace: nothing is recorded and its nonce stays unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Refusal {
    /// The bytes are not a transaction.
    #[error("the bytes are not a transaction")]
    Malformed,
    /// Made for another chain.
    #[error("the transaction is for another chain")]
    WrongChain,
    /// The sender has no account, and this is not the registration of one by the key that the address comes from.
    #[error("the sender has no account")]
    UnknownAccount,
    /// Not signed with a key that may act for the account now.
    #[error("the key may not sign for this account")]
    KeyRevoked,
    /// The signature does not match key and transaction.
    #[error("the signature is wrong")]
    BadSignature,
    /// The signature has its `s` in the upper half.
    #[error("the signature has a high s")]
    HighS,
    /// Too late.
    #[error("the transaction was valid until {valid_until}")]
    Expired {
        /// The last moment at which it could be recorded.
        valid_until: UnixMillis,
    },
    /// The account has already used the nonce.
    #[error("the nonce is used, the lowest unused one is {base}")]
    NonceUsed {
        /// The lowest unused nonce.
        base: u64,
    },
    /// The nonce is above the window.
    #[error("the nonce is too far above the lowest unused one, {base}")]
    NonceTooFar {
        /// The lowest unused nonce.
        base: u64,
    },
}

codes_of! {
    pub Refusal {
        Malformed => "MALFORMED",
        WrongChain => "WRONG_CHAIN",
        UnknownAccount => "UNKNOWN_ACCOUNT",
        KeyRevoked => "KEY_REVOKED",
        BadSignature => "BAD_SIGNATURE",
        HighS => "HIGH_S",
        Expired => "EXPIRED",
        NonceUsed => "NONCE_USED",
        NonceTooFar => "NONCE_TOO_FAR",
    }
}

impl From<DecodeError> for Refusal {
    fn from(_: DecodeError) -> Self {
        Self::Malformed
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::HighS => Self::HighS,
            _ => Self::BadSignature,
        }
    }
}
