//! Deliberate defects of the host around the core. Each of them breaks a promise that the core builds on, or does what a
//! defect in the core would do. The tests demand that the checks catch every one.

use core::time::Duration;

use crate::{byzantine::Kind, plan::Plan};
use pbft_core::ReplicaId;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// The log says "durable" before it has synced.
    VoteBeforeSync,
    /// A crash takes away records that were synced.
    ForgetSynced,
    /// Truncation takes away all records but the last.
    TruncateAll,
    /// A restart does not give the service its checkpoint back.
    SkipRestore,
    /// A restart empties the client table: requests execute again.
    ResetClients,
    /// The service's answers depend on which replica asks.
    RandomService,
    /// The service carries a batch out in another order on some replicas.
    ReorderBatch,
    /// Signatures are not checked, and a liar forges votes.
    TrustAnySignature,
    /// Prepares go out for two digests.
    SignTwice,
    /// The primary orders a request that no client sent.
    InventRequest,
    /// Replies carry another outcome than execution had.
    SwapOutcomes,
    /// Lost messages are never sent again.
    DropStatus,
    /// Timers never fire.
    DropTimers,
    /// Committed batches are executed out of order.
    SkipBatch,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::VoteBeforeSync,
        Self::ForgetSynced,
        Self::TruncateAll,
        Self::SkipRestore,
        Self::ResetClients,
        Self::RandomService,
        Self::ReorderBatch,
        Self::TrustAnySignature,
        Self::SignTwice,
        Self::InventRequest,
        Self::SwapOutcomes,
        Self::DropStatus,
        Self::DropTimers,
        Self::SkipBatch,
    ];

    /// Makes a run one in which the defect can show: with the faults that it needs, and no liars to be blamed instead.
    pub fn prepare(self, plan: &mut Plan) {
        plan.byzantine.clear();
        match self {
            Self::TrustAnySignature => plan.byzantine.push((ReplicaId::new(1), Kind::Forger)),
            Self::DropStatus | Self::DropTimers => {
                plan.network.drop = plan.network.drop.max(50_000);
                plan.tuning.archive_bytes = 1 << 20;
                plan.live = true;
            }
            Self::SkipRestore => plan.durable_service = false,
            Self::ForgetSynced => plan.sync = (Duration::ZERO, Duration::from_micros(100)),
            _ => {}
        }
        if self.needs_crashes() {
            plan.faults.crash = plan.faults.crash.max(6_000);
            plan.faults.blackouts = plan.faults.blackouts.max(1);
        }
    }

    /// The promises that it may break. Whatever else is found is another defect.
    #[must_use]
    pub const fn breaks(self) -> &'static [&'static str] {
        match self {
            Self::VoteBeforeSync => &["SentBeforeDurable"],
            // A replica without its memory votes twice, or stands before what it said and did.
            Self::ForgetSynced | Self::TruncateAll => &[
                "SaidTwoThings",
                "SentBeforeDurable",
                "MovedBack",
                "Invariant",
                "CannotRecover",
                "CannotRestore",
            ],
            Self::SkipRestore => &["OutcomesDiffer", "StateDiffers", "FinalStatesDiffer"],
            Self::ResetClients => &["ExecutionDiffers", "ExecutedTwice", "StateDiffers"],
            Self::RandomService | Self::ReorderBatch | Self::SkipBatch => {
                &["OutcomesDiffer", "StateDiffers", "FinalStatesDiffer"]
            }
            Self::TrustAnySignature => &["BadCertificate", "NotPrepared", "WeakEvidence"],
            Self::SignTwice => &["SaidTwoThings"],
            Self::InventRequest => &["NeverSubmitted"],
            // What was refused and is said to be applied counts as done for the replicas, and not for the checks.
            Self::SwapOutcomes => &["FalseAnswer", "LeftOut"],
            Self::DropStatus | Self::DropTimers => &["Stuck"],
        }
    }

    const fn needs_crashes(self) -> bool {
        matches!(self, Self::ForgetSynced | Self::TruncateAll | Self::SkipRestore | Self::ResetClients)
    }
}
