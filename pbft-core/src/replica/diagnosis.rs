//! What a replica can tell about itself.

use serde::{Deserialize, Serialize};

use super::Replica;
use crate::{
    ids::{ReplicaId, Seq, View},
    request_buffer::Waiting,
};

/// How far a replica got, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which replica.
    pub replica: ReplicaId,
    /// Its view.
    pub view: View,
    /// Whether it takes part in the view, or waits for it to begin.
    pub view_active: bool,
    /// The primary of that view.
    pub primary: ReplicaId,
    /// The last number executed.
    pub executed: Seq,
    /// The last number known to be proposed.
    pub proposed: Seq,
    /// The stable checkpoint.
    pub stable_checkpoint: Seq,
    /// The low water mark.
    pub low: Seq,
    /// The high water mark.
    pub high: Seq,
    /// Requests that wait for a proposal.
    pub waiting_requests: u64,
    /// Clients whose windows are remembered.
    pub clients: u64,
    /// The farthest that another replica claims to have executed.
    pub farthest_claim: Seq,
    /// The oldest executed batch that peers can still fetch here.
    pub first_archived: Option<Seq>,
}

impl Replica {
    /// How far this replica got.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let Waiting { requests, .. } = self.buffer.waiting();
        Progress {
            replica: self.id,
            view: self.view,
            view_active: self.views.active,
            primary: self.primary(),
            executed: self.execution.executed,
            proposed: self.proposed,
            stable_checkpoint: self.stable_seq(),
            low: self.log.low(),
            high: self.log.high(),
            waiting_requests: requests as u64,
            clients: self.clients.clients() as u64,
            farthest_claim: self.farthest_claim(),
            first_archived: self.log.archive().first(),
        }
    }
}
