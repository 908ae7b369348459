//! PREPARE: a backup agrees to an assignment within its view.

use pbft_crypto::{Digest, Hasher};
use serde::{Deserialize, Serialize};

use super::{Statement, StatementKind};
use crate::ids::{Seq, View};

/// "I accept `digest` as number `seq` of `view`, and no other."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The view.
    pub view: View,
    /// The number.
    pub seq: Seq,
    /// The batch's digest.
    pub digest: Digest,
}

impl Statement for Prepare {
    const KIND: StatementKind = StatementKind::Prepare;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.view.value());
        hasher.update_u64(self.seq.value());
        hasher.update(self.digest.as_bytes());
    }
}
