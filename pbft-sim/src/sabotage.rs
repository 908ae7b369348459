//! Deliberate defects of the host around the core. Each of them breaks a promise that the core builds on, or does what a
//! defect in the core would do. The tests demand that the checks catch every one.

use core::time::Duration;

use crate::{Violation, byzantine::Kind, plan::Plan, sweep::run_plan};
use pbft_core::{Message, ReplicaId};
use serde::{Deserialize, Serialize};

/// How a search for a planted defect ended.
#[derive(Clone, Debug)]
pub enum Hunt {
    /// A run showed it.
    Caught {
        /// Which.
        seed: u64,
        /// When, on virtual time.
        at: Duration,
        /// The name of the broken promise.
        by: String,
    },
    /// A run broke a promise that the defect has nothing to do with.
    Strange {
        /// Which.
        seed: u64,
        /// What was wrong.
        violation: Violation,
    },
    /// No run showed it.
    Escaped,
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// Pre-prepares are never sent.
    DropPrePrepares,
    /// Prepares are never sent.
    DropPrepares,
    /// Commits are never sent.
    DropCommits,
    /// Checkpoints are never sent: the window never moves.
    DropCheckpoints,
    /// View-changes are never sent, and the first primary is silent.
    DropViewChanges,
    /// New views are never announced, and the first primary is silent.
    DropNewViews,
    /// Clients are never told.
    DropReplies,
    /// The service is never done.
    DropExecuted,
    /// Replicas are never told that records are durable.
    DropDurable,
    /// Votes carry another name than that of the key.
    WrongSigner,
    /// Timeouts have no end, and the first primary is silent.
    NeverSuspect,
    /// A sync says that it covers what was written while it ran.
    EarlyDurable,
    /// A restart finds an empty log.
    Amnesia,
    /// A restart finds no record of a view that began or ended.
    ForgetViews,
    /// Requests are not checked, and a liar makes them up.
    TrustAnyRequest,
    /// Signatures are not checked, and a liar forges what it prepared.
    TrustAnyProof,
    /// The state at a checkpoint depends on the replica.
    RandomCheckpoint,
    /// When the service wants to wake up depends on the replica.
    RandomWakeUp,
    /// Replies name the batch after the right one.
    WrongReplyNumber,
    /// The service takes the time from its own clock.
    LocalTime,
    /// The service leaves the last request of a batch out, on some replicas.
    SkipRequest,
    /// What batches had as their results is never told.
    DropAttestations,
    /// What a batch has as its result depends on the replica.
    RandomResult,
    /// A restart finds a checkpoint that says that all results before it are certified.
    ForgetResults,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 38] = [
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
        Self::DropPrePrepares,
        Self::DropPrepares,
        Self::DropCommits,
        Self::DropCheckpoints,
        Self::DropViewChanges,
        Self::DropNewViews,
        Self::DropReplies,
        Self::DropExecuted,
        Self::DropDurable,
        Self::WrongSigner,
        Self::NeverSuspect,
        Self::EarlyDurable,
        Self::Amnesia,
        Self::ForgetViews,
        Self::TrustAnyRequest,
        Self::TrustAnyProof,
        Self::RandomCheckpoint,
        Self::RandomWakeUp,
        Self::WrongReplyNumber,
        Self::LocalTime,
        Self::SkipRequest,
        Self::DropAttestations,
        Self::RandomResult,
        Self::ForgetResults,
    ];

    /// Runs up to `seeds` seeds without liars of their own, until one shows the defect.
    #[must_use]
    pub fn hunt(self, seeds: usize) -> Hunt {
        let plans = (0u64..).map(|seed| Plan::of(seed, &[4])).filter(|plan| plan.byzantine.is_empty());
        for plan in plans.take(seeds) {
            let seed = plan.seed;
            let run = run_plan(plan.with_sabotage(self), false);
            if let Some(violation) = run.violation {
                let by = violation.name();
                return match self.breaks().contains(&by.as_str()) {
                    true => Hunt::Caught { seed, at: run.ended_at, by },
                    false => Hunt::Strange { seed, violation },
                };
            }
        }
        Hunt::Escaped
    }

    /// Makes a run one in which the defect can show: with the faults that it needs, and no liars to be blamed instead.
    pub fn prepare(self, plan: &mut Plan) {
        plan.byzantine.clear();
        plan.outside.clear();
        match self {
            Self::TrustAnySignature => plan.byzantine.push((ReplicaId::new(1), Kind::Forger)),
            Self::TrustAnyProof => {
                plan.byzantine.push((ReplicaId::new(1), Kind::ProofForger));
                plan.tuning.rotation_period = 1;
            }
            Self::TrustAnyRequest => plan.byzantine.push((ReplicaId::new(0), Kind::GarbageRelay)),
            Self::ForgetViews => plan.tuning.rotation_period = 1,
            Self::NeverSuspect | Self::DropViewChanges | Self::DropNewViews => {
                plan.byzantine.push((ReplicaId::new(0), Kind::SilentPrimary));
                plan.tuning.archive_bytes = 1 << 20;
                plan.live = true;
                if self == Self::NeverSuspect {
                    plan.tuning.request_timeout = Duration::from_secs(1_000_000);
                }
            }
            Self::DropPrePrepares
            | Self::DropPrepares
            | Self::DropCommits
            | Self::DropCheckpoints
            | Self::DropReplies
            | Self::DropExecuted
            | Self::DropDurable
            | Self::WrongSigner
            | Self::ForgetResults
            | Self::DropAttestations => {
                plan.tuning.archive_bytes = 1 << 20;
                plan.live = true;
            }
            Self::DropStatus | Self::DropTimers => {
                plan.network.drop = plan.network.drop.max(50_000);
                plan.tuning.archive_bytes = 1 << 20;
                plan.live = true;
            }
            Self::SkipRestore => plan.durable_service = false,
            Self::ForgetSynced => plan.sync = (Duration::ZERO, Duration::from_micros(100)),
            _ => {}
        }
        if plan.live {
            // Long enough for whatever still works.
            plan.patience = plan.patience.clamp(Duration::from_secs(20), Duration::from_secs(60));
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
            Self::VoteBeforeSync | Self::EarlyDurable => &["SentBeforeDurable"],
            // A replica without its memory votes twice, or stands before what it said and did.
            Self::ForgetSynced | Self::TruncateAll | Self::Amnesia | Self::ForgetViews => &[
                "SaidTwoThings",
                "SentBeforeDurable",
                "MovedBack",
                "Invariant",
                "CannotRecover",
                "CannotRestore",
                "WronglyBlamed",
            ],
            Self::SkipRestore => &["OutcomesDiffer", "StateDiffers", "FinalStatesDiffer"],
            // Its own checkpoint comes out otherwise than before: it says two things.
            Self::ResetClients => &["ExecutionDiffers", "ExecutedTwice", "StateDiffers", "WronglyBlamed"],
            Self::RandomService
            | Self::ReorderBatch
            | Self::SkipBatch
            | Self::LocalTime
            | Self::SkipRequest
            | Self::RandomWakeUp
            | Self::RandomResult
            | Self::RandomCheckpoint => &["OutcomesDiffer", "StateDiffers", "FinalStatesDiffer", "Diverged"],
            Self::TrustAnyProof => {
                &["BadCertificate", "NotPrepared", "ForgottenByNewView", "Unwanted", "WeakEvidence"]
            }
            Self::TrustAnyRequest => &["NeverSubmitted"],
            Self::WrongReplyNumber => &["FalseAnswer"],
            Self::TrustAnySignature => &["BadCertificate", "NotPrepared", "WeakEvidence", "Diverged"],
            Self::SignTwice => &["SaidTwoThings"],
            Self::InventRequest => &["NeverSubmitted"],
            // What was refused and is said to be applied counts as done for the replicas, and not for the checks.
            Self::SwapOutcomes => &["FalseAnswer", "LeftOut"],
            Self::DropStatus
            | Self::DropTimers
            | Self::DropPrePrepares
            | Self::DropPrepares
            | Self::DropCommits
            | Self::DropCheckpoints
            | Self::DropViewChanges
            | Self::DropNewViews
            | Self::DropReplies
            | Self::DropExecuted
            | Self::DropDurable
            | Self::DropAttestations
            | Self::ForgetResults
            | Self::WrongSigner
            | Self::NeverSuspect => &["Stuck"],
        }
    }

    /// Whether a message is never sent.
    #[must_use]
    pub const fn swallows(self, message: &Message) -> bool {
        matches!(
            (self, message),
            (Self::DropStatus, Message::Status(_))
                | (Self::DropPrePrepares, Message::PrePrepare(_))
                | (Self::DropPrepares, Message::Prepare(_))
                | (Self::DropCommits, Message::Commit(_))
                | (Self::DropCheckpoints, Message::Checkpoint(_))
                | (Self::DropViewChanges, Message::ViewChange(_))
                | (Self::DropAttestations, Message::Attestation(_) | Message::Certified(_))
                | (Self::DropNewViews, Message::NewView(_))
        )
    }

    const fn needs_crashes(self) -> bool {
        matches!(
            self,
            Self::ForgetSynced
                | Self::Amnesia
                | Self::ForgetViews
                | Self::TruncateAll
                | Self::SkipRestore
                | Self::ResetClients
                | Self::ForgetResults
        )
    }
}
