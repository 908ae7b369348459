//! Everything that a replica wants done.
//!
//! # The order of effects
//! The host carries effects out in the order in which they come out of [`Replica::step`](crate::Replica::step), and
//! never drops one but for sends that its network cannot take.
//!
//! * [`Effect::Persist`] may be carried out lazily: append, go on, sync when convenient, and then hand the log's
//!   [`Durable`](crate::storage::Durable) back as [`Input::Durable`](crate::Input::Durable). One sync may cover many
//!   records. The replica holds back every vote until its record is durable, so messages in this list may be sent at
//!   once.
//! * [`Effect::Execute`] is answered by exactly one [`Input::Executed`](crate::Input::Executed); the next one comes only
//!   after it.
//! * [`Effect::Ask`] is answered by exactly one [`Input::Answered`](crate::Input::Answered); the next one comes only after
//!   it. The service does what it is asked to, and executes, in the order of the effects.

use core::time::Duration;
use std::sync::Arc;

use pbft_crypto::Digest;
use serde::Serialize;

use crate::{
    certificate::Certificate,
    evidence::Evidence,
    ids::{Asker, ReplicaId, RequestId, Seq, View},
    message::{Attestation, DeclineReason, Message, ReadReply, Reply, StatePart},
    roster::Roster,
    service::{OrderedBatch, ServiceQuestion, StateLost},
    storage::{LogPosition, Record},
};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Effect {
    /// Append to the log.
    Persist(LogPosition, Record),
    /// Records before this position are not needed any more.
    TruncateLog(LogPosition),
    /// Send to one replica.
    Send(ReplicaId, Message),
    /// Send to all other replicas.
    Broadcast(Message),
    /// Tell whoever waits for this request.
    Reply(Reply),
    /// Tell whoever sent this request that it was not taken.
    Decline {
        /// Its name.
        id: RequestId,
        /// Its digest: another request may wait under this name.
        request: Digest,
        /// Why.
        reason: DeclineReason,
    },
    /// Have the service execute a batch, then make a checkpoint if asked.
    Execute {
        /// The batch.
        batch: OrderedBatch,
        /// Whether the service's checkpoint is wanted after it.
        checkpoint: bool,
    },
    /// Give [`Input::Timer`](crate::Input::Timer) at this point of `Now::elapsed`. Replaces the time set before.
    SetTimer(Duration),
    /// Hand the service the proof of what executing a batch had as its result, after all batches that were handed to it
    /// before. It may have had the same proof in an earlier life.
    Certified(Certificate<Attestation>),
    /// Someone is provably faulty.
    Evidence(Evidence),
    /// The replicas change, or are known to have changed: messages are verified against this from now on
    /// ([`Verifier::update`](crate::verify::Verifier::update)), and go to the newest set.
    Reconfigured(Arc<Roster>),
    /// The state at a checkpoint does not fit the log, which then could never be truncated: the replica must stop. The
    /// service has to keep its state by itself.
    CheckpointTooLarge {
        /// Where.
        seq: Seq,
        /// What the service's snapshot, or the client table, takes at least.
        bytes: usize,
        /// What they may take.
        limit: usize,
    },
    /// A certificate has another state, or another result, than this replica computed: it must stop and be rebuilt.
    Diverged {
        /// Where.
        seq: Seq,
        /// What this replica has.
        own: Digest,
        /// What is certified.
        certified: Digest,
    },
    /// Ask the service something: [`ServiceQuestion::put_to`].
    Ask(ServiceQuestion),
    /// For metrics and logs: how the transfer of a state goes.
    Transfer(TransferEvent),
    /// The service cannot go to the checkpoint that was installed: the replica must stop.
    StateLost(StateLost),
    /// Tell the one who asked, and nobody else: another's question under the same number may be a later one.
    ReadReply {
        /// Who.
        to: Asker,
        /// What.
        reply: ReadReply,
    },
    /// For metrics and logs: the replica takes no further part in its view, and asks for this one.
    ViewChange {
        /// Which view it wants.
        view: View,
        /// Why.
        why: ViewChangeReason,
    },
}

/// Why a replica asks for another view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ViewChangeReason {
    /// Replicas enough to have a correct one among them want it, or a later one (VC-4).
    Joined,
    /// The view before it did not begin in time (VC-6).
    NotBegun,
    /// The primary was not heard (VC-10).
    Silent,
    /// There is work, and none of it got done (VC-11).
    NoProgress,
    /// The primary leaves a request out (VC-13).
    LeftOut,
    /// The primary is much slower than the one before (VC-14).
    Slow,
    /// It is another primary's turn (VC-15).
    Rotation,
    /// The primary has signed two batches for one number.
    TwoBatches,
    /// The primary does not vote (SX-11).
    NotVoting,
}

impl ViewChangeReason {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::NotBegun => "not-begun",
            Self::Silent => "silent",
            Self::NoProgress => "no-progress",
            Self::LeftOut => "left-out",
            Self::Slow => "slow",
            Self::Rotation => "rotation",
            Self::TwoBatches => "two-batches",
            Self::NotVoting => "not-voting",
        }
    }
}

/// What happens in a transfer of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TransferEvent {
    /// It begins.
    Begun {
        /// The checkpoint.
        seq: Seq,
    },
    /// The replica stands at the checkpoint.
    Done {
        /// The checkpoint.
        seq: Seq,
    },
    /// A peer sent something that is no part of the checkpoint. It is asked no more in this transfer; parts are not
    /// signed, so this convinces nobody else.
    BadPart {
        /// Who.
        peer: ReplicaId,
        /// Of which checkpoint.
        seq: Seq,
        /// Which part.
        part: StatePart,
    },
    /// The transfer goes on with a later checkpoint, or begins anew.
    Abandoned {
        /// The checkpoint.
        seq: Seq,
    },
}
