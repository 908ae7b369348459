//! What can be wrong.

use core::time::Duration;

use pbft_core::{
    Epoch, ReplicaId, RequestId, Seq, View, client::ClientError, error::RecoverError, message::StatementKind,
    replica::InvariantViolation, service::StateLost,
};
use thiserror::Error;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Violation {
    #[error("agreement: replica {replica} has another batch for {seq} than others decided")]
    Disagreement { replica: ReplicaId, seq: Seq },
    #[error("a batch does not have the digest that replica {replica} recorded for {seq}")]
    WrongBody { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} recorded a certificate for {seq} that proves nothing")]
    BadCertificate { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} committed {seq} without a quorum of prepares")]
    NotPrepared { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} entered a view that forgets what was decided for {seq}")]
    ForgottenByNewView { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} entered view {view}, which no quorum wanted")]
    Unwanted { replica: ReplicaId, view: View },
    #[error(
        "replica {replica} gives up on the view before {view}, which had not begun, and no quorum waited for"
    )]
    RanAhead { replica: ReplicaId, view: View },
    #[error("the service of replica {replica} breaks its own rules at {seq}: {what}")]
    Service { replica: ReplicaId, seq: Seq, what: String },
    #[error("replica {replica} proposes {seq}, more than half a window past its low water mark {low}")]
    PastWindow { replica: ReplicaId, seq: Seq, low: Seq },
    #[error("replica {replica} executes {seq} only {behind:?} after another, although nothing goes wrong")]
    Dawdles { replica: ReplicaId, seq: Seq, behind: Duration },
    #[error("state: replica {replica} has another state at checkpoint {seq} than others")]
    StateDiffers { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} knows of other replicas in epoch {epoch} than others")]
    RostersDiffer { replica: ReplicaId, epoch: Epoch },
    #[error("order: replica {replica} executes {seq} where {expected} comes next")]
    OutOfOrder { replica: ReplicaId, seq: Seq, expected: Seq },
    #[error("replica {replica} executes {seq}, which nobody decided")]
    Undecided { replica: ReplicaId, seq: Seq },
    #[error("order: replica {replica} executes something else as {seq} than others")]
    ExecutionDiffers { replica: ReplicaId, seq: Seq },
    #[error("time does not move on at {seq}")]
    TimeStands { seq: Seq },
    #[error("validity: {id} was executed at {seq}, and nobody submitted it")]
    NeverSubmitted { id: RequestId, seq: Seq },
    #[error("exactly once: {id} was executed at {first} and again at {again}")]
    ExecutedTwice { id: RequestId, first: Seq, again: Seq },
    #[error("{id} was left out at {seq} although it had not been executed")]
    LeftOut { id: RequestId, seq: Seq },
    #[error("{id} was executed at {seq} and was not in the batch")]
    Smuggled { id: RequestId, seq: Seq },
    #[error("the outcomes of {seq} differ between replicas")]
    OutcomesDiffer { seq: Seq },
    #[error("a client accepted an answer for {id} that no correct replica gave")]
    FalseAnswer { id: RequestId },
    #[error("client {client} was shown the state after {executed}, and {floor} was known when it asked")]
    StaleRead { client: usize, executed: Seq, floor: Seq },
    #[error("client {client} was shown a state after {executed} that there never was")]
    FalseRead { client: usize, executed: Seq },
    #[error("a client was told of {id}: {error}")]
    FalseRefusal { id: RequestId, error: ClientError },
    #[error("replica {replica} signed two {kind:?} for {seq} in view {view}")]
    SaidTwoThings { replica: ReplicaId, kind: StatementKind, view: View, seq: Seq },
    #[error("replica {replica} sent a {kind:?} for {seq} that is not on its disk")]
    SentBeforeDurable { replica: ReplicaId, kind: StatementKind, seq: Seq },
    #[error("replica {replica} calls itself diverged at {seq}")]
    Diverged { replica: ReplicaId, seq: Seq },
    #[error(
        "replica {replica} hands on a certificate for {seq} that is not true, not proven, or not yet known"
    )]
    FalseCertificate { replica: ReplicaId, seq: Seq },
    #[error("replica {replica} hands on two certificates for {seq} in one life")]
    CertifiedTwice { replica: ReplicaId, seq: Seq },
    #[error("replica {accuser} blames {culprit}, which is correct")]
    WronglyBlamed { accuser: ReplicaId, culprit: ReplicaId },
    #[error("replica {accuser} has evidence against {culprit} that proves nothing")]
    WeakEvidence { accuser: ReplicaId, culprit: ReplicaId },
    #[error("replica {replica}: {broken}")]
    Invariant { replica: ReplicaId, broken: InvariantViolation },
    #[error("replica {replica} cannot recover: {error}")]
    CannotRecover { replica: ReplicaId, error: RecoverError },
    #[error("replica {replica} cannot restore its service: {error}")]
    CannotRestore { replica: ReplicaId, error: StateLost },
    #[error("replica {replica} moved back: {what} was {before} and is {after}")]
    MovedBack { replica: ReplicaId, what: &'static str, before: Seq, after: Seq },
    #[error("replica {replica} keeps {what}: {count}, more than {limit}")]
    Unbounded { replica: ReplicaId, what: &'static str, count: usize, limit: usize },
    #[error("liveness: after {waited:?} without faults {open} requests are open; {replicas}")]
    Stuck { waited: Duration, open: usize, replicas: String },
    #[error("views go on changing although nothing is asked for: {views:?}")]
    Restless { views: Vec<(ReplicaId, View)> },
    #[error(
        "replica {replica} executed {count} empty batches while nothing was asked for; {limit} may be needed"
    )]
    Idling { replica: ReplicaId, count: u64, limit: u64 },
    #[error("{events} events and no end: a livelock")]
    Endless { events: u64 },
    #[error("time stands still at {at:?}: a livelock")]
    TimeStuck { at: Duration },
    #[error("final states differ between replicas {0} and {1}")]
    FinalStatesDiffer(ReplicaId, ReplicaId),
    #[error("panic: {0}")]
    Panic(String),
}

impl Violation {
    /// The name of the broken promise, without its particulars.
    #[must_use]
    pub fn name(&self) -> String {
        let text = format!("{self:?}");
        text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
    }
}
