//! What happened in a run: faults by kind, and things that must happen sometimes, or the runs prove little.

use std::collections::BTreeMap;

use pbft_core::{effect::ViewChangeReason, verify::InvalidMessage};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident => $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// In words.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

named! {
    /// A fault that the simulator caused.
    Fault {
        /// The network lost it.
        Lost => "message lost",
        /// The network repeated it.
        Repeated => "message repeated",
        /// The network held it up.
        Late => "message held up",
        /// A partition cut it off.
        Cut => "message cut off by a partition",
        /// The network fell apart.
        Partition => "partition",
        /// A replica crashed.
        Crash => "crash",
        /// All replicas crashed at once.
        Blackout => "crash of all replicas at once",
        /// A record went with a crash.
        RecordLost => "unsynced record lost",
        /// A sync failed.
        SyncFailed => "sync failed",
        /// A disk was full.
        DiskFull => "disk full",
        /// A wall clock was set.
        ClockSet => "wall clock set to another time",
        /// A slow link held it up.
        Slow => "message on a slow link",
        /// A disk was replaced by an empty one.
        Wiped => "disk wiped",
        /// A replica was away for long.
        Away => "long absence",
        /// A Byzantine replica was at work.
        Liar => "Byzantine replica",
    }
}

named! {
    /// Something that must be seen in any large set of runs.
    Sometimes {
        /// A crash took records away.
        UnsyncedLoss => "crash with unsynced loss",
        /// A crash cut a list of effects in the middle.
        TornEffects => "crash between two effects",
        /// A restart began at a checkpoint.
        RestoredCheckpoint => "restart from a checkpoint",
        /// A restart found records, but no checkpoint.
        ReplayedLog => "restart from records alone",
        /// A replica fetched final batches.
        CaughtUp => "catch-up used",
        /// The log was truncated.
        Truncated => "log truncated",
        /// A checkpoint became stable.
        StableCheckpoint => "checkpoint stable",
        /// A request was ordered twice and executed once.
        DuplicateSuppressed => "duplicate request suppressed",
        /// A reply was given again to a client that asked again.
        AnsweredAgain => "request asked for again",
        /// A backup forwarded a request.
        Forwarded => "request forwarded",
        /// A batch without requests moved time on.
        EmptyBatch => "empty batch executed",
        /// The service refused a request.
        Refused => "request refused by the service",
        /// A request was not even admitted.
        TurnedAway => "request turned away at the door",
        /// A buffer was full.
        Busy => "buffer full",
        /// A client gave up and asked again.
        GaveUp => "client gave up",
        /// A vote came before the proposal.
        VoteFirst => "commit before pre-prepare",
        /// The primary had several batches in flight.
        SeveralInFlight => "several batches in flight",
        /// Several requests shared a batch.
        FullBatch => "batch with several requests",
        /// A message did not decode.
        Undecodable => "message refused by decoding",
        /// A message did not verify.
        Unverified => "message refused by verification",
        /// A signature was wrong.
        BadSignature => "bad signature refused",
        /// A certificate had no quorum.
        BadCertificate => "bad certificate refused",
        /// Someone was caught.
        Evidence => "evidence seen",
        /// A replica asked for another view.
        ViewChange => "view change",
        /// It joined others.
        Followed => "view change: with others",
        /// Another view had not begun.
        NotBegun => "view change: the last one did not begin",
        /// A primary was not heard.
        Silent => "view change: silent primary",
        /// Nothing got done.
        NoProgress => "view change: no progress",
        /// A request was left out.
        LeftOut => "view change: request left out",
        /// A primary was slow.
        SlowPrimary => "view change: slow primary",
        /// Another one's turn.
        Rotation => "view change: rotation",
        /// A primary signed two batches.
        TwoBatches => "view change: two batches for one number",
        /// A primary did not vote.
        NotVoting => "view change: primary without a vote",
        /// A view began.
        NewView => "new view",
        /// A view began with numbers in flight.
        CarriedOver => "new view with numbers in flight",
        /// A view filled a gap.
        NullRequest => "null request",
        /// A replica stopped because of its disk, and came back.
        DiskFailure => "stop for a failing disk",
        /// A replica began to take over a state.
        TransferBegun => "state transfer begun",
        /// It stands at the checkpoint.
        TransferDone => "state transfer done",
        /// The same, of a service that hands its state on in parts.
        PartsInstalled => "state transfer of a durable service",
        /// A peer sent a wrong part.
        BadPart => "wrong part of a state refused",
        /// The transfer went on with a later checkpoint.
        TransferRenewed => "state transfer begun anew",
        /// A replica that lost its disk votes again.
        VotesAgain => "vote after a wiped disk",
        /// Nobody heard a quorum.
        Ring => "partition into a ring",
        /// A link worked one way only.
        OneWay => "partition in one direction",
        /// A wall clock went back.
        ClockBack => "wall clock set back",
        /// A question was answered without being ordered.
        ReadByQuorum => "read answered by a quorum",
        /// A question had to be ordered.
        ReadOrdered => "read ordered after all",
        /// A question was not answered by a replica.
        ReadRefused => "read refused by a replica",
        /// Real signatures were used.
        RealSignatures => "P-256 signatures",
        /// The service was the ledger.
        Ledger => "ledger as the service",
        /// Some replicas never came back, and the rest was enough.
        Core => "answered by a quorum, others gone for good",
        /// A result was certified.
        Certified => "result certified",
        /// The proof of a result came to a replica that had restarted past the batch.
        CertifiedLate => "result certified after a restart past it",
        /// The cluster went on without being healed first.
        CalmRun => "run without any fault",
        /// Other replicas took over.
        Reconfigured => "replicas changed",
        /// A replica that was no member at first voted.
        NewMember => "a new replica voted",
        /// A replica was started with another key.
        Rekeyed => "a replica got another key",
        /// That replica had not reached the epoch in which it has that key.
        RekeyedBehind => "a replica got another key before it knew of it",
        /// A few correct replicas were in a later view alone when all was done.
        Exile => "left behind in a later view",
        /// Nothing was asked for a while in the end.
        Rested => "idle for long in the end, and no view changed",
        /// One thing more was asked for when all was done, and as many were gone as may be.
        Probed => "probed in the end, as many gone as may be",
    }
}

impl From<ViewChangeReason> for Sometimes {
    fn from(why: ViewChangeReason) -> Self {
        match why {
            ViewChangeReason::Joined => Self::Followed,
            ViewChangeReason::NotBegun => Self::NotBegun,
            ViewChangeReason::Silent => Self::Silent,
            ViewChangeReason::NoProgress => Self::NoProgress,
            ViewChangeReason::LeftOut => Self::LeftOut,
            ViewChangeReason::Slow => Self::SlowPrimary,
            ViewChangeReason::Rotation => Self::Rotation,
            ViewChangeReason::TwoBatches => Self::TwoBatches,
            ViewChangeReason::NotVoting => Self::NotVoting,
        }
    }
}

impl Sometimes {
    /// In how many of so many runs it must be seen: once, what is rare in one of two thousand, and what the rest stands on in
    /// one of fifty.
    #[must_use]
    pub const fn at_least_in(self, runs: u64) -> u64 {
        match self {
            Self::ViewChange
            | Self::TransferDone
            | Self::UnsyncedLoss
            | Self::Evidence
            | Self::Reconfigured => runs / 50,
            Self::LeftOut | Self::SlowPrimary | Self::TwoBatches => runs / 2_000,
            _ => 1,
        }
    }
}

/// What happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Faults by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// In how many runs something was seen.
    pub sometimes: BTreeMap<Sometimes, u64>,
}

impl Counters {
    /// A fault was caused.
    pub fn fault(&mut self, fault: Fault) {
        self.faults(fault, 1);
    }

    /// Several faults were caused.
    pub fn faults(&mut self, fault: Fault, count: u64) {
        if count > 0 {
            *self.faults.entry(fault).or_default() += count;
        }
    }

    /// Something was seen: counts once for each run.
    pub fn saw(&mut self, what: Sometimes) {
        self.sometimes.insert(what, 1);
    }

    /// A message was refused.
    pub fn refused(&mut self, why: InvalidMessage) {
        self.saw(Sometimes::Unverified);
        match why {
            InvalidMessage::BadSignature => self.saw(Sometimes::BadSignature),
            InvalidMessage::NoQuorum => self.saw(Sometimes::BadCertificate),
            _ => {}
        }
    }

    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (what, runs) in &other.sometimes {
            *self.sometimes.entry(*what).or_default() += runs;
        }
    }

    /// What was seen in none of these runs, or in too few of them.
    pub fn too_rare(&self, runs: u64) -> impl Iterator<Item = Sometimes> {
        let seen = |what: &Sometimes| self.sometimes.get(what).copied().unwrap_or(0);
        Sometimes::ALL.iter().copied().filter(move |what| seen(what) < what.at_least_in(runs))
    }
}
