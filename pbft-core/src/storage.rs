//! The port to the durable log, the records in it, and the type that makes "log before send" hold.

use serde::{Deserialize, Serialize};

use crate::{
    certificate::Certificate,
    ids::{Epoch, Seq, View},
    message::{
        Attestation, Checkpoint, Commit, CommittedBatch, Handover, Prepare, Proposal, ProvenNewView,
        ProvenViewChange, Signed, StateSummary,
    },
};

/// The place of a record in the log: 1 for the first, then one more each. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogPosition(u64);

impl LogPosition {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// Wraps a number.
    #[must_use]
    pub const fn new(position: u64) -> Self {
        Self(position)
    }

    /// The plain number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a replica must remember to go on after a crash. New kinds are added at the end: the tag is part of the format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A proposal that this replica made or accepted.
    Proposal(Proposal),
    /// Its own prepare.
    Prepare(Signed<Prepare>),
    /// Its own commit, with the prepares that it rests on (the pre-prepare is in the proposal's record).
    Commit {
        /// The vote.
        commit: Signed<Commit>,
        /// The prepares that it counted besides the pre-prepare.
        prepares: Vec<Signed<Prepare>>,
    },
    /// The number is final.
    Committed(Certificate<Commit>),
    /// The number is final; the batch came from a peer.
    CaughtUp(CommittedBatch),
    /// It has executed as far as a checkpoint.
    Checkpoint(Box<CheckpointRecord>),
    /// A checkpoint is stable.
    Stable(Certificate<Checkpoint>),
    /// It has left its view for a later one.
    ViewChange(Box<ProvenViewChange>),
    /// A view began.
    NewView(Box<ProvenNewView>),
    /// The next epoch began.
    Handover(Box<Handover>),
    /// It came back without its log.
    Returned(ReturnRecord),
    /// How the cluster got from its first replicas to those of the checkpoint that follows: a part of it, oldest first.
    Lineage(Vec<Handover>),
}

impl Record {
    /// A short name, for metrics and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Proposal(_) => "proposal",
            Self::Prepare(_) => "prepare",
            Self::Commit { .. } => "commit",
            Self::Committed(_) => "committed",
            Self::CaughtUp(_) => "caught-up",
            Self::Checkpoint(_) => "checkpoint",
            Self::Stable(_) => "stable",
            Self::ViewChange(_) => "view-change",
            Self::NewView(_) => "new-view",
            Self::Handover(_) => "handover",
            Self::Returned(_) => "returned",
            Self::Lineage(_) => "lineage",
        }
    }
}

/// A replica's own checkpoint: where recovery starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// The vote.
    pub checkpoint: Signed<Checkpoint>,
    /// What it is about.
    pub summary: StateSummary,
    /// The client table, encoded.
    #[serde(with = "crate::wire::byte_string")]
    pub clients: Vec<u8>,
    /// The service's state, if it leaves it to the log.
    pub snapshot: Option<Vec<u8>>,
    /// The results up to here were certified, and the service has kept the proofs.
    pub certified: Seq,
    /// The results of the batches since then, or since the checkpoint before: nobody executes them again.
    pub results: Vec<Attestation>,
}

/// What a replica that lost its log may not do yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnRecord {
    /// It votes again from this stable checkpoint on; nothing until it has heard a quorum.
    pub votes_from: Option<Seq>,
    /// It has left all views before this one, and asks for none up to it: it may have before.
    pub last_view: View,
    /// Of this epoch.
    pub epoch: Epoch,
}

/// Keeps records through crashes and power cuts.
///
/// # To be correct
/// * After `sync` has returned a [`Durable`], every record up to its position is there after any crash. A log that
///   forgets lets its replica vote twice, and f + 1 such replicas can break agreement.
/// * `load` returns the records in order without a gap. A torn tail (records never synced) may be cut off; damage
///   before it must be an error, not a shorter log.
/// * `truncate` may keep more than it must, never less.
pub trait Log: Send {
    /// What can go wrong.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Adds a record. It need not be durable yet.
    ///
    /// # Errors
    /// The record may or may not be in the log then; the replica must stop.
    fn append(&mut self, position: LogPosition, record: &Record) -> Result<(), Self::Error>;

    /// Makes all appended records durable.
    ///
    /// # Errors
    /// Nothing is known of the last records then; the replica must stop (and not try again: a second `fsync` may lie).
    fn sync(&mut self) -> Result<Durable, Self::Error>;

    /// All records that are left, in order.
    ///
    /// # Errors
    /// If the log is damaged or cannot be read.
    fn load(&mut self) -> Result<Vec<(LogPosition, Record)>, Self::Error>;

    /// Records before `position` are not needed any more.
    ///
    /// # Errors
    /// If space cannot be given back.
    fn truncate(&mut self, position: LogPosition) -> Result<(), Self::Error>;
}

/// The log's word that every record up to a position is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Durable(LogPosition);

impl Durable {
    /// For implementations of [`Log::sync`], after the sync. Calling it anywhere else breaks the promise that a vote
    /// survives its sender's crash.
    #[must_use]
    pub const fn through(position: LogPosition) -> Self {
        Self(position)
    }

    /// The last durable position.
    #[must_use]
    pub const fn position(self) -> LogPosition {
        self.0
    }
}

/// A vote that may not leave yet. Only [`Durable`] opens it, so a vote cannot be sent before its record is safe.
#[derive(Clone, Debug)]
pub struct Held<T> {
    position: LogPosition,
    vote: T,
}

impl<T> Held<T> {
    /// Holds `vote` until the record at `position` is durable.
    pub const fn until(position: LogPosition, vote: T) -> Self {
        Self { position, vote }
    }

    /// The vote, if its record is durable.
    ///
    /// # Errors
    /// Itself, if not.
    pub fn release(self, durable: Durable) -> Result<T, Self> {
        if self.position <= durable.position() { Ok(self.vote) } else { Err(self) }
    }
}

/// A log in memory that knows what a power cut would take away. For tests, examples and the simulator.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    records: Vec<(LogPosition, Record)>,
    synced: LogPosition,
}

impl MemoryLog {
    /// Forgets what was never synced, but for the first `kept` records of it: a crash with a power cut.
    pub fn lose_unsynced(&mut self, kept: usize) {
        let synced = self.synced;
        let mut allowance = kept;
        self.records.retain(|(position, _)| {
            let unsynced = *position > synced;
            let keep = !unsynced || allowance > 0;
            if unsynced {
                allowance = allowance.saturating_sub(1);
            }
            keep
        });
        self.synced = self.last_position();
    }

    /// How many records were never synced.
    #[must_use]
    pub fn unsynced(&self) -> usize {
        self.records.iter().rev().take_while(|(position, _)| *position > self.synced).count()
    }

    /// How many records there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn last_position(&self) -> LogPosition {
        self.records.last().map_or(self.synced, |(position, _)| (*position).max(self.synced))
    }
}

impl Log for MemoryLog {
    type Error = core::convert::Infallible;

    fn append(&mut self, position: LogPosition, record: &Record) -> Result<(), Self::Error> {
        self.records.push((position, record.clone()));
        Ok(())
    }

    fn sync(&mut self) -> Result<Durable, Self::Error> {
        self.synced = self.last_position();
        Ok(Durable::through(self.synced))
    }

    fn load(&mut self) -> Result<Vec<(LogPosition, Record)>, Self::Error> {
        Ok(self.records.clone())
    }

    fn truncate(&mut self, position: LogPosition) -> Result<(), Self::Error> {
        self.records.retain(|(at, _)| *at >= position);
        Ok(())
    }
}

/// The number that a record speaks of; 0 for one that speaks of a view.
#[must_use]
pub const fn seq_of(record: &Record) -> Seq {
    match record {
        Record::Proposal(proposal) => proposal.pre_prepare.statement.seq,
        Record::Prepare(prepare) => prepare.statement.seq,
        Record::Commit { commit, .. } => commit.statement.seq,
        Record::Committed(certificate) => certificate.statement.seq,
        Record::CaughtUp(committed) => committed.certificate.statement.seq,
        Record::Checkpoint(record) => record.checkpoint.statement.seq,
        Record::Stable(certificate) => certificate.statement.seq,
        Record::ViewChange(_)
        | Record::NewView(_)
        | Record::Handover(_)
        | Record::Returned(_)
        | Record::Lineage(_) => Seq::ZERO,
    }
}
