//! CHECKPOINT: a replica has executed so far, and this is what it got.

use pbft_crypto::{Digest, Hasher};
use serde::{Deserialize, Serialize};

use super::{Statement, StatementKind};
use crate::ids::Seq;

/// "After executing `seq` my state, replies and client windows have this `digest`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The last number executed.
    pub seq: Seq,
    /// See [`StateSummary::digest`](super::StateSummary::digest).
    pub digest: Digest,
}

impl Statement for Checkpoint {
    const KIND: StatementKind = StatementKind::Checkpoint;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.seq.value());
        hasher.update(self.digest.as_bytes());
    }
}
