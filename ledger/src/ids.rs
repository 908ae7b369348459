//! Names of things on the ledger: 32 bytes, hex in texts.

use std::fmt;
use std::str::FromStr;

use pbft_crypto::{Digest, HexError};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// Takes a digest as it is.
            pub const fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest.
            pub const fn digest(&self) -> &Digest {
                &self.0
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A transaction: the digest of all of it but the signature.
    TxId
}

id! {
    /// Random bytes that hide a vote until it is revealed. Not a name, but as large as one.
    Salt
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        id! { $(#[$doc])* $name }

        impl From<TxId> for $name {
            /// An object has the bytes of the id of the transaction that made it.
            fn from(tx: TxId) -> Self {
                Self(tx.0)
            }
        }
    };
}

object_id! {
    /// A request to be topped up.
    ChargeId
}
object_id! {
    /// Something for sale.
    ListingId
}
object_id! {
    /// A purchase whose money is held in escrow until it is over.
    TradeId
}

object_id! {
    /// A change of somebody's role that an admin asked for.
    RoleChangeId
}

object_id! {
    /// An order to buy or sell tokens.
    OrderId
}

object_id! {
    /// A payment.
    PaymentId
}

object_id! {
    /// A question to many.
    PollId
}

object_id! {
    /// A change of the replicas that an admin asked for.
    ReplicaChangeId
}

object_id! {
    /// Terms for automatic approval that an admin asked for.
    PolicyProposalId
}

object_id! {
    /// A wish of guardians that an account have another key.
    RecoveryId
}

object_id! {
    /// A request to take money out.
    WithdrawalId
}

/// Names a replica. No id is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(u16);

impl ReplicaId {
    /// The replica with this number.
    pub const fn new(id: u16) -> Self {
        Self(id)
    }

    /// The number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// One above, if there is one.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    pub(crate) const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_be_bytes(bytes))
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many blocks come before a block. Not a sequence number: a batch that records nothing makes no block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(u64);

impl Height {
    /// The genesis block.
    pub const GENESIS: Self = Self(0);

    /// The block after so many others.
    pub const fn new(height: u64) -> Self {
        Self(height)
    }

    /// The number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// One above. There is no chain of 2^64 blocks.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
