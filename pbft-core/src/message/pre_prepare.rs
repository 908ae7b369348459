//! PRE-PREPARE: the primary gives a batch its sequence number. It counts as the primary's prepare.

use std::sync::Arc;

use pbft_crypto::{Digest, Domain, Hasher};
use serde::{Deserialize, Serialize};

use super::{Request, Signed, Statement, StatementKind};
use crate::{
    ids::{Seq, View},
    time::UnixMillis,
};

/// Requests that execute together, at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The view in which it was first proposed. Part of the digest, so that a later view which proposes the batch
    /// again leaves the executed result as it was.
    pub origin: View,
    /// The primary's clock when it proposed the batch.
    pub time: UnixMillis,
    /// The requests, in the order of execution; no two with the same id. Empty for a batch that only moves time.
    pub requests: Vec<Request>,
}

const BATCH_DOMAIN: Domain = Domain::new("pbft/batch/v1");

impl Batch {
    /// Binds origin, time and requests in order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new(BATCH_DOMAIN);
        hasher.update_u64(self.origin.value());
        hasher.update_u64(self.time.value());
        for request in &self.requests {
            hasher.update(request.digest().as_bytes());
        }
        hasher.finish()
    }

    /// The null request: fills a number for which nothing was prepared when a view began.
    #[must_use]
    pub const fn null() -> Self {
        Self { origin: View::ZERO, time: UnixMillis::new(0), requests: Vec::new() }
    }

    /// The bytes of all operations together.
    #[must_use]
    pub fn operation_bytes(&self) -> usize {
        self.requests.iter().fold(0, |sum, request| sum.saturating_add(request.operation.len()))
    }
}

/// "In `view`, the batch with `digest` has number `seq`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrePrepare {
    /// The view.
    pub view: View,
    /// The number.
    pub seq: Seq,
    /// The batch's digest.
    pub digest: Digest,
}

impl Statement for PrePrepare {
    const KIND: StatementKind = StatementKind::PrePrepare;

    fn absorb(&self, hasher: &mut Hasher) {
        hasher.update_u64(self.view.value());
        hasher.update_u64(self.seq.value());
        hasher.update(self.digest.as_bytes());
    }
}

/// A pre-prepare together with the batch that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The primary's signed assignment.
    pub pre_prepare: Signed<PrePrepare>,
    /// The batch; its digest is the assigned one.
    pub batch: Arc<Batch>,
}
