//! COMMIT: a replica has seen a quorum prepare.

use pbft_crypto::{Digest, Hasher};
use serde::{Deserialize, Serialize};

use super::{Statement, StatementKind};
use crate::ids::{Seq, View};

/// "A quorum prepared `digest` as number `seq` of `view`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The view.
    pub view: View,
    /// The number.
    pub seq: Seq,
    /// The batch's digest.
    pub digest: Digest,
}

impl Statement for Commit {
    const KIND: StatementKind = StatementKind::Commit;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.view.value());
        hasher.update_u64(self.seq.value());
        hasher.update(self.digest.as_bytes());
    }
}
