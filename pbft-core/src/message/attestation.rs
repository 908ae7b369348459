//! ATTESTATION: a replica has executed a batch, and this is what the service wants certified of it.

use pbft_crypto::{Digest, Hasher};
use serde::{Deserialize, Serialize};

use super::{Statement, StatementKind};
use crate::ids::Seq;

/// "Executing `seq` had this result." `f + 1` equal ones include a correct replica's, so the result is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The batch.
    pub seq: Seq,
    /// See [`Executed::result`](crate::service::Executed::result).
    pub digest: Digest,
}

impl Statement for Attestation {
    const KIND: StatementKind = StatementKind::Attestation;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.seq.value());
        hasher.update(self.digest.as_bytes());
    }
}
