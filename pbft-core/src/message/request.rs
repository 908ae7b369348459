//! REQUEST: an operation that a client wants executed once.

use core::fmt;
use std::sync::Arc;

use pbft_crypto::{Digest, Domain, Hasher};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::{ClientId, RequestId, RequestNumber};

/// The service's own bytes. Cheap to clone: a batch is held by the log, the network and the executor at once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation(Arc<[u8]>);

impl Operation {
    /// Wraps the bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operation({} bytes)", self.len())
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Operation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Operation, E> {
                Ok(Operation::new(bytes))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// An operation, with the client's name for it.
///
/// The core does not check who sent it: that is the service's [`Admission`](crate::service::Admission), which knows
/// what a valid operation of this client looks like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub client: ClientId,
    /// The client's number for it: used once, within the client's window.
    pub number: RequestNumber,
    /// What the service is to do.
    pub operation: Operation,
}

const REQUEST_DOMAIN: Domain = Domain::new("pbft/request/v1");

impl Request {
    /// The request's name.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        RequestId { client: self.client, number: self.number }
    }

    /// Binds client, number and operation.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new(REQUEST_DOMAIN);
        hasher.update(self.client.as_bytes());
        hasher.update_u64(self.number.value());
        hasher.update(self.operation.as_bytes());
        hasher.finish()
    }
}
