//! The one thing in a replica's way, as a value and as a sentence.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{Epoch, ReplicaId, RequestId, Seq, View};

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
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
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
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
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
    /// Numbers without requests, which something needs all the same.
    EmptyBatches {
        /// Who should propose them.
        primary: ReplicaId,
        /// What needs them.
        need: Need,
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
    },
    /// The key that the others know it by: it follows and has no say.
    Key {
        /// The epoch whose replicas have another key for it.
        epoch: Epoch,
    },
    /// A quorum with the same state: before that nothing can be proposed any more (B-2, RE-1).
    Checkpoint {
        /// After this number.
        seq: Seq,
        /// How many make a quorum.
        quorum: usize,
        /// Whose votes for it are missing.
        silent: Vec<ReplicaId>,
        /// In so many milliseconds another primary is asked for, if nothing happens.
        gives_up_in: Option<u64>,
    },
}

/// Why numbers have to pass although nobody asks for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Need {
    /// Something in the service falls due (T-2).
    Time,
    /// The replicas change after this number (RE-1).
    Change(Seq),
    /// A replica goes on once the others are here (SX-11).
    Replica(Seq),
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
            | Self::Batch { gives_up_in, .. }
            | Self::Prepares { gives_up_in, .. }
            | Self::Commits { gives_up_in, .. }
            | Self::EmptyBatches { gives_up_in, .. }
            | Self::Checkpoint { gives_up_in, .. }
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
            Self::EmptyBatches { .. } => "empty_batches",
            Self::Key { .. } => "key",
            Self::Checkpoint { .. } => "checkpoint",
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
            Self::Batch { seq, gives_up_in } => {
                let gives_up = GivesUp(*gives_up_in);
                write!(f, "waits for someone to send the batch of number {seq}{gives_up}")
            }
            Self::Prepares { seq, quorum, silent, gives_up_in } => {
                let (silent, gives_up) = (List(silent), GivesUp(*gives_up_in));
                write!(f, "waits for {quorum} prepares of number {seq}; silent: {silent}{gives_up}")
            }
            Self::Commits { seq, quorum, silent, gives_up_in } => {
                let (silent, gives_up) = (List(silent), GivesUp(*gives_up_in));
                write!(f, "waits for {quorum} commits of number {seq}; silent: {silent}{gives_up}")
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
            Self::Key { epoch } => {
                write!(
                    f,
                    "has not the key that the replicas of epoch {epoch} know it by: waits to be started with that one"
                )
            }
            Self::Checkpoint { seq, quorum, silent, gives_up_in } => {
                let (silent, gives_up) = (List(silent), GivesUp(*gives_up_in));
                write!(f, "waits for {quorum} equal checkpoints of number {seq}; silent: {silent}{gives_up}")
            }
            Self::EmptyBatches { primary, need, gives_up_in } => {
                let gives_up = GivesUp(*gives_up_in);
                write!(
                    f,
                    "waits for replica {primary}, the primary, to go on without requests: {need}{gives_up}"
                )
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("something in the service is due"),
            Self::Change(after) => write!(f, "the replicas change after number {after}"),
            Self::Replica(until) => write!(f, "a replica needs the others to get to number {until}"),
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
