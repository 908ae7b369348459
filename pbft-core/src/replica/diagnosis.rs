//! What a replica can tell about itself: how far it got, and what it waits for.

use core::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::Replica;
use crate::{
    ids::{Epoch, ReplicaId, RequestId, Seq, View},
    log::Slot,
    message::Prepare,
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

/// The one thing that a replica needs next, and has not got. Its `Display` is a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitsFor {
    /// Nothing: all that it knows of is executed.
    Nothing,
    /// Requests wait, and the primary has not proposed them.
    Proposal {
        /// How many.
        requests: u64,
        /// Who should.
        primary: ReplicaId,
        /// The one that has waited longest, if the buffer can tell.
        oldest: Option<OldestRequest>,
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
    },
    /// The view assigned a number, and nobody has sent the batch yet.
    Batch {
        /// The number.
        seq: Seq,
    },
    /// A quorum of prepares, the pre-prepare counted in.
    Prepares {
        /// For this number.
        seq: Seq,
        /// How many make a quorum.
        quorum: usize,
        /// Whose are missing.
        silent: Vec<ReplicaId>,
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
    },
    /// A quorum of commits.
    Commits {
        /// For this number.
        seq: Seq,
        /// How many make a quorum.
        quorum: usize,
        /// Whose are missing.
        silent: Vec<ReplicaId>,
    },
    /// The service works on a batch.
    Execution {
        /// Which one.
        seq: Seq,
    },
    /// Final batches that others have executed long ago.
    CatchUp {
        /// Where this replica is.
        executed: Seq,
        /// Where others are.
        others: Seq,
        /// Who was asked.
        asked: Option<ReplicaId>,
    },
    /// A quorum that wants the next view.
    ViewChanges {
        /// The view.
        view: View,
        /// How many make a quorum.
        quorum: usize,
        /// Who has not asked for it.
        silent: Vec<ReplicaId>,
    },
    /// The new primary's word that its view begins.
    NewView {
        /// The view.
        view: View,
        /// Who should begin it.
        primary: ReplicaId,
        /// In so many milliseconds the next view is tried (VC-6).
        gives_up_in: Option<u64>,
    },
    /// A place among the replicas: it follows and has no say.
    Membership {
        /// The epoch whose replicas are others.
        epoch: Epoch,
    },
    /// Parts of a state that it takes over.
    State {
        /// The checkpoint.
        seq: Seq,
        /// How many parts are there.
        done: u64,
        /// How many there are, as far as it knows.
        parts: u64,
        /// Who was asked.
        asked: Vec<ReplicaId>,
    },
    /// It lost its log: a point from which on it may vote again.
    Return {
        /// The stable checkpoint; nothing while it asks the others where they are.
        votes_from: Option<Seq>,
        /// Where it is.
        executed: Seq,
    },
    /// It lost its log, and may have left the present view before: the next one.
    LaterView {
        /// Where it takes part again, or in a later one.
        view: View,
    },
}

/// A request that nobody has proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestRequest {
    /// Which one.
    pub id: RequestId,
    /// How long it has waited here, in milliseconds.
    pub age: u64,
}

impl WaitsFor {
    /// In how many milliseconds this replica gives up on who leads it, if it waits for that one and nothing happens.
    #[must_use]
    pub const fn gives_up_in(&self) -> Option<u64> {
        match self {
            Self::Proposal { gives_up_in, .. }
            | Self::Prepares { gives_up_in, .. }
            | Self::NewView { gives_up_in, .. } => *gives_up_in,
            _ => None,
        }
    }

    /// One word for it, for metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Proposal { .. } => "proposal",
            Self::Batch { .. } => "batch",
            Self::Prepares { .. } => "prepares",
            Self::Commits { .. } => "commits",
            Self::Execution { .. } => "execution",
            Self::CatchUp { .. } => "catch_up",
            Self::ViewChanges { .. } => "view_changes",
            Self::NewView { .. } => "new_view",
            Self::Membership { .. } => "membership",
            Self::State { .. } => "state",
            Self::Return { .. } => "return",
            Self::LaterView { .. } => "later_view",
        }
    }
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("waits for nothing"),
            Self::Proposal { requests, primary, oldest, gives_up_in } => {
                write!(f, "waits for replica {primary}, the primary, to propose {requests} requests")?;
                if let Some(OldestRequest { id, age }) = oldest {
                    write!(f, "; the oldest, {id}, for {}", Seconds(*age))?;
                }
                write!(f, "{}", GivesUp(*gives_up_in))
            }
            Self::Batch { seq } => write!(f, "waits for someone to send the batch of number {seq}"),
            Self::Prepares { seq, quorum, silent, gives_up_in } => {
                let (silent, gives_up) = (List(silent), GivesUp(*gives_up_in));
                write!(f, "waits for {quorum} prepares of number {seq}; silent: {silent}{gives_up}")
            }
            Self::Commits { seq, quorum, silent } => {
                write!(f, "waits for {quorum} commits of number {seq}; silent: {}", List(silent))
            }
            Self::Execution { seq } => write!(f, "waits for the service to execute number {seq}"),
            Self::CatchUp { executed, others, asked: Some(peer) } => {
                write!(
                    f,
                    "is at {executed} where others are at {others}, and waits for replica {peer} to send more"
                )
            }
            Self::CatchUp { executed, others, asked: None } => {
                write!(f, "is at {executed} where others are at {others}, and asks one of them next")
            }
            Self::ViewChanges { view, quorum, silent } => {
                write!(f, "waits for {quorum} replicas to ask for view {view}; silent: {}", List(silent))
            }
            Self::Membership { epoch } => {
                write!(f, "is not one of the replicas of epoch {epoch}: waits to be made one")
            }
            Self::NewView { view, primary, gives_up_in } => {
                write!(f, "waits for replica {primary} to begin view {view}{}", GivesUp(*gives_up_in))
            }
            Self::State { seq, done, parts, asked } => {
                write!(
                    f,
                    "is rebuilding: has {done} of {parts} parts of checkpoint {seq}; asked: {}",
                    List(asked)
                )
            }
            Self::Return { votes_from: Some(from), executed } => {
                write!(f, "returned without its log: votes again from {from} on, is at {executed}")
            }
            Self::Return { votes_from: None, .. } => {
                f.write_str("returned without its log: asks the others where they are")
            }
            Self::LaterView { view } => {
                write!(
                    f,
                    "returned without its log: votes again in view {view}, which follows when a primary fails"
                )
            }
        }
    }
}

/// Milliseconds, as people read them.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} s", self.0 / 1000, self.0 / 100 % 10)
    }
}

struct GivesUp(Option<u64>);

impl fmt::Display for GivesUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |millis| write!(f, "; gives up in {}", Seconds(millis)))
    }
}

struct List<'a>(&'a [ReplicaId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, replica) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{replica}")?;
        }
        Ok(())
    }
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
            return WaitsFor::Membership { epoch: self.epoch() };
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
        match self.buffer.waiting().requests as u64 {
            0 => WaitsFor::Nothing,
            requests => {
                let (oldest, gives_up_in) = (self.oldest_request(), self.gives_up_in());
                WaitsFor::Proposal { requests, primary: self.primary(), oldest, gives_up_in }
            }
        }
    }

    fn oldest_request(&self) -> Option<OldestRequest> {
        let (id, since) = self.buffer.oldest()?;
        Some(OldestRequest { id, age: millis(self.timers.last_step().saturating_sub(since)) })
    }

    /// VC-6, VC-10 and VC-11: nothing for a primary, and for who gives up on nobody.
    fn gives_up_in(&self) -> Option<u64> {
        Some(millis(self.suspect_at()?.saturating_sub(self.timers.last_step())))
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
        let quorum = self.quorum();
        let statement = slot.pre_prepare()?.statement;
        if slot.is_committed() {
            return None;
        }
        if slot.proposal.is_none() {
            return Some(WaitsFor::Batch { seq });
        }
        if slot.prepared {
            let voted: Vec<_> = slot.commits.signers().collect();
            return Some(WaitsFor::Commits { seq, quorum, silent: self.others_than(&voted) });
        }
        let expected = Prepare { view: self.view, seq, digest: statement.digest };
        let backups = slot.prepares.matching(&expected).map(|vote| vote.signer);
        let voted: Vec<_> = backups.chain([self.primary()]).collect();
        let (silent, gives_up_in) = (self.others_than(&voted), self.gives_up_in());
        Some(WaitsFor::Prepares { seq, quorum, silent, gives_up_in })
    }

    fn others_than(&self, these: &[ReplicaId]) -> Vec<ReplicaId> {
        self.config.replicas.ids().filter(|id| !these.contains(id)).collect()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
