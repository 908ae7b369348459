//! Names of things: views, sequence numbers, replicas, clients. Newtypes, so that none is taken for another.

use core::fmt;

use pbft_crypto::{Digest, PublicKey};
use serde::{Deserialize, Serialize};

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The first one.
            pub const ZERO: Self = Self(0);

            /// Wraps a plain number.
            #[must_use]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The plain number.
            #[must_use]
            pub const fn value(self) -> u64 {
                self.0
            }

            /// The one after this. The last one is its own successor; nothing valid ever gets there.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// `count` further on, capped at the largest.
            #[must_use]
            pub const fn plus(self, count: u64) -> Self {
                Self(self.0.saturating_add(count))
            }

            /// How far this lies past `earlier`; zero if it does not.
            #[must_use]
            pub const fn since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter! {
    /// A configuration with one primary: replica `view mod n`.
    View
}

counter! {
    /// How often the replica set has changed. Views of one epoch say nothing in another: each begins with view 0.
    Epoch
}

counter! {
    /// The place of a batch in the one order. The first batch has number 1; 0 is the state before it.
    Seq
}

counter! {
    /// A client's own number for a request, used once. See [`crate::client_table`].
    RequestNumber
}

counter! {
    /// A client's own number for a question ([`crate::message::Read`]), used once.
    ReadNumber
}

/// A member of the replica set. The first set numbers its members from 0; who joins gets a number of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReplicaId(u16);

impl ReplicaId {
    /// Wraps an index.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self(index)
    }

    /// The index as a position in the replica set.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The plain number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who sends requests: any 32 bytes that the service can tie to whoever signs the operations.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId([u8; 32]);

impl ClientId {
    /// Wraps the bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The client that a public key stands for.
    #[must_use]
    pub fn from_public_key(key: &PublicKey) -> Self {
        Self(*pbft_crypto::digest(CLIENT_DOMAIN, key.as_bytes()).as_bytes())
    }
}

const CLIENT_DOMAIN: pbft_crypto::Domain = pbft_crypto::Domain::new("pbft/client/v1");

impl From<Digest> for ClientId {
    fn from(digest: Digest) -> Self {
        Self(*digest.as_bytes())
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who asked a question, as the host names it: a connection, not what somebody calls himself. The answer goes there and
/// nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asker(u64);

impl Asker {
    /// Wraps the host's number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The host's number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// A request's name: no two different requests of one client share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId {
    /// Who asks.
    pub client: ClientId,
    /// The client's number for it.
    pub number: RequestNumber,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.client, self.number)
    }
}
