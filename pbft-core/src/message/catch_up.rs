//! FETCH and COMMITTED: how a replica that fell behind gets batches that the others have long executed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Batch, Commit};
use crate::{certificate::Certificate, ids::Seq};

/// "Send me what was committed after `after`."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The last number that the asker has.
    pub after: Seq,
}

/// A batch with the quorum of commits that makes it final. It needs no trust in whoever sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedBatch {
    /// The batch; its digest is the certificate's.
    pub batch: Arc<Batch>,
    /// A quorum of commits.
    pub certificate: Certificate<Commit>,
}
