//! What a replica can tell about itself: how far it got, and what it waits for.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Replica,
    waits_for::{Need, OldestRequest, WaitsFor},
};
use crate::{
    ids::{ReplicaId, Seq, View},
    log::Slot,
    message::{Checkpoint, Prepare},
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

    /// What it waits for: the first thing in the way of the next number. Times are those of its last step, which is less
    /// than an idle status period ago.
    #[must_use]
    pub fn diagnose(&self) -> WaitsFor {
        let executed = self.execution.executed;
        let seq = executed.next();
        if let Some((seq, done, parts, asked)) = self.transfer.describe() {
            return WaitsFor::State { seq, done, parts, asked };
        }
        if !self.execution.is_idle() {
            return WaitsFor::Execution { seq };
        }
        if self.is_far_behind() {
            let (others, asked) = (self.credible_claim(), self.catch_up.asked_peer());
            return WaitsFor::CatchUp { executed, others, asked };
        }
        if !self.is_member() {
            let epoch = self.epoch();
            let known = self.config.replicas.contains(self.id);
            return if known { WaitsFor::Key { epoch } } else { WaitsFor::Membership { epoch } };
        }
        if let Some(from) = self.votes_from() {
            let votes_from = Some(from).filter(|from| *from > Seq::ZERO);
            return WaitsFor::Return { votes_from, executed };
        }
        if !self.views.active {
            return self.diagnose_view();
        }
        if let Some(found) = self.log.slot(seq).and_then(|slot| self.diagnose_slot(seq, slot)) {
            return found;
        }
        if let Some(found) = self.diagnose_checkpoint() {
            return found;
        }
        let (primary, gives_up_in) = (self.primary(), self.gives_up_in());
        match self.buffer.waiting().requests as u64 {
            0 => self.need().map_or(WaitsFor::Nothing, |need| WaitsFor::EmptyBatches {
                primary,
                need,
                gives_up_in,
            }),
            requests => WaitsFor::Proposal { requests, primary, oldest: self.oldest_request(), gives_up_in },
        }
    }

    fn need(&self) -> Option<Need> {
        let change = self.last_of_epoch().map(Need::Change);
        let replica = || self.needed_until(self.timers.last_step().elapsed).map(Need::Replica);
        let time = || self.is_service_due(self.timers.last_step()).then_some(Need::Time);
        change.or_else(replica).or_else(time)
    }

    fn oldest_request(&self) -> Option<OldestRequest> {
        let (id, since) = self.buffer.oldest()?;
        Some(OldestRequest { id, age: millis(self.timers.last_step().elapsed.saturating_sub(since)) })
    }

    /// VC-6, VC-10 and VC-11: nothing for a primary, and for who gives up on nobody.
    fn gives_up_in(&self) -> Option<u64> {
        let now = self.timers.last_step().elapsed;
        let at = self.suspect_at().filter(|_| !self.views.active || self.another_could_mend_it(now))?;
        Some(millis(at.saturating_sub(now)))
    }

    fn diagnose_view(&self) -> WaitsFor {
        if self.has_left() {
            return WaitsFor::LaterView { view: self.view };
        }
        let (view, quorum) = (self.view, self.quorum());
        let wanted: Vec<_> = self.views.votes_for(view).map(|proven| proven.vote.signer).collect();
        if wanted.len() >= quorum {
            let (primary, gives_up_in) = (self.primary(), self.gives_up_in());
            return WaitsFor::NewView { view, primary, gives_up_in };
        }
        WaitsFor::ViewChanges { view, quorum, silent: self.others_than(&wanted) }
    }

    fn diagnose_slot(&self, seq: Seq, slot: &Slot) -> Option<WaitsFor> {
        let (quorum, gives_up_in) = (self.quorum(), self.gives_up_in());
        let statement = slot.pre_prepare()?.statement;
        if slot.is_committed() {
            return None;
        }
        if slot.proposal.is_none() {
            return Some(WaitsFor::Batch { seq, gives_up_in });
        }
        if slot.prepared {
            let voted: Vec<_> = slot.commits.signers().collect();
            return Some(WaitsFor::Commits { seq, quorum, silent: self.others_than(&voted), gives_up_in });
        }
        let expected = Prepare { view: self.view, seq, digest: statement.digest };
        let backups = slot.prepares.matching(&expected).map(|vote| vote.signer);
        let voted: Vec<_> = backups.chain([self.primary()]).collect();
        Some(WaitsFor::Prepares { seq, quorum, silent: self.others_than(&voted), gives_up_in })
    }

    /// At the end of what may be proposed, and of an epoch, only a stable checkpoint helps.
    fn diagnose_checkpoint(&self) -> Option<WaitsFor> {
        let executed = self.execution.executed;
        let is_last = executed >= self.proposal_limit() || self.last_of_epoch() == Some(executed);
        let (seq, digest) = self.checkpoints.own.last_key_value().map(|(seq, digest)| (*seq, *digest))?;
        if !is_last || seq <= self.stable_seq() {
            return None;
        }
        let equal = Checkpoint { seq, digest };
        let votes = self.checkpoints.votes.get(&seq).into_iter().flat_map(|votes| votes.matching(&equal));
        let voted: Vec<_> = votes.map(|vote| vote.signer).collect();
        let (quorum, gives_up_in) = (self.config.sizes().quorum(), self.gives_up_in());
        Some(WaitsFor::Checkpoint { seq, quorum, silent: self.others_than(&voted), gives_up_in })
    }

    fn others_than(&self, these: &[ReplicaId]) -> Vec<ReplicaId> {
        self.config.replicas.ids().filter(|id| !these.contains(id)).collect()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
