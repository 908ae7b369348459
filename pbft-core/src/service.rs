//! The port to the replicated service: what the cluster is for.

use std::sync::Arc;

use pbft_crypto::{Digest, Domain};
use serde::{Deserialize, Serialize};

use crate::{
    certificate::Certificate,
    config::ReplicaSet,
    evidence::Evidence,
    ids::{Seq, View},
    message::{Attestation, Operation, Request},
    request_buffer::Lane,
    time::UnixMillis,
};

/// The deterministic state machine that every replica runs.
///
/// # To be correct
/// * `execute` depends on nothing but the state and the batch: no clock, no randomness, no order of a hash map. Two
///   replicas that differ lose their common checkpoint, and with it the service.
/// * `execute` never fails: a request that cannot be carried out has an [`Outcome`] that says so.
/// * A service that keeps its own durable state may be asked again for a batch that it has applied (after a restart).
///   It then returns the same outcomes and changes nothing.
pub trait Service: Send {
    /// Executes a batch and says what came of each request, in order.
    fn execute(&mut self, batch: &OrderedBatch) -> Executed;

    /// Names the state after the batch that was executed last (which, after a restart, may lie before the state that a
    /// service keeps by itself), and makes it durable: after a restart the log is replayed from here.
    fn checkpoint(&mut self) -> ServiceCheckpoint;

    /// After a restart: goes back to the checkpoint made after `seq`, from the snapshot if it left one to the log.
    /// A service that keeps its own durable state may have applied more than that already.
    ///
    /// It is also how an install ends: the checkpoint that [`Service::complete_install`] made whole becomes the state.
    ///
    /// # Errors
    /// If it can do neither: its state is lost.
    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost>;

    /// The result of a batch is certified: `f + 1` replicas signed what this service gave as [`Executed::result`].
    ///
    /// It comes once in each life, for batches that were executed; after a restart it may come again, or for the first
    /// time, for numbers before the checkpoint. Whoever keeps certificates makes those that came before it durable in
    /// [`checkpoint`](Self::checkpoint): they do not come again once that checkpoint is in the log.
    fn certified(&mut self, certificate: Certificate<Attestation>) {
        drop(certificate);
    }

    /// A member is provably faulty. The same may come again; whoever keeps it needs one of each kind and number.
    fn evidence(&mut self, evidence: Evidence) {
        drop(evidence);
    }

    /// Answers a question about the state after the batch that was executed last; nothing for a question that it does not
    /// know, or if it answers none. Equal states give equal answers, and nothing is changed, also if it panics: the question
    /// is not answered then, and the service goes on.
    ///
    /// A client that gets no quorum of equal answers may put the same question into an ordered request. How such a request
    /// looks is the service's affair: it gives the operation, and executes it without changing anything.
    fn query(&mut self, _query: &[u8]) -> Option<Vec<u8>> {
        None
    }

    // --- State transfer: for a service that keeps its state durable by itself. Snapshots are the core's business. ----

    /// Of the checkpoints before the newest, only these are still needed. Until it is told so a service keeps what
    /// [`Service::manifest`] and [`Service::part`] need of each one that it made, while it goes on executing, and also
    /// through a restart: if all replicas restart and then nobody can hand out the last checkpoint, those that lag may be
    /// the ones without which there is no next one.
    fn keep_checkpoints(&mut self, _needed: &[Seq]) {}

    /// What a peer must know of the parts of a checkpoint before it can check them; nothing if that is not kept.
    fn manifest(&mut self, _seq: Seq) -> Option<Vec<u8>> {
        None
    }

    /// One part of a checkpoint, well below [`MAX_ENCODED_BYTES`](crate::wire::MAX_ENCODED_BYTES) (1 MiB is a good
    /// size); nothing if that is not kept.
    fn part(&mut self, _seq: Seq, _index: u32) -> Option<Vec<u8>> {
        None
    }

    /// Begins to take over a checkpoint of others, in place of any other that was begun. Says which parts are missing:
    /// what came before a restart need not come again. The present state stays as it is.
    ///
    /// # Errors
    /// If the manifest is not one of a state that `digest` names. Nothing was begun then.
    fn begin_install(
        &mut self,
        _seq: Seq,
        _digest: &Digest,
        _manifest: &[u8],
    ) -> Result<Vec<u32>, WrongPart> {
        Err(WrongPart)
    }

    /// Takes in part `index` of what was begun. The same part may come twice.
    ///
    /// # Errors
    /// If it is not this part of this checkpoint: the peer that sent it is at fault.
    fn accept_part(&mut self, _index: u32, _part: &[u8]) -> Result<(), WrongPart> {
        Err(WrongPart)
    }

    /// All parts are there: makes them durable, beside the present state. From now on [`Service::restore`] can go to
    /// that checkpoint, also after a crash; until it does, the present state is the state.
    ///
    /// # Errors
    /// If it cannot. The install is over then, and may begin anew.
    fn complete_install(&mut self) -> Result<(), StateLost> {
        Ok(())
    }
}

/// Decides which requests may enter, before they are ordered.
///
/// # To be correct
/// * The verdict depends on the request alone (its form, its signature), so that every replica gives the same one: a
///   proposal with a request that is not admitted counts as a fault of the primary.
/// * It is asked by several threads at once.
pub trait Admission: Send + Sync {
    /// Checks requests, each by itself; as long as `requests`. The refusal is handed to the client as it is.
    fn admit(&self, requests: &[Request]) -> Vec<Result<Lane, Vec<u8>>>;
}

/// Lets everything in. For services whose requests need no signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdmitAll;

impl Admission for AdmitAll {
    fn admit(&self, requests: &[Request]) -> Vec<Result<Lane, Vec<u8>>> {
        requests.iter().map(|_| Ok(Lane::Normal)).collect()
    }
}

/// A batch in its place in the one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderedBatch {
    /// Its number.
    pub seq: Seq,
    /// The view in which it was first proposed.
    pub origin: View,
    /// Its time: later than that of every batch before it.
    pub time: UnixMillis,
    /// The requests that are due: those executed before are left out. May be empty.
    pub requests: Vec<Request>,
    /// The name of the replica set that decided on it.
    pub replicas: Digest,
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// One for each request, in order.
    pub outcomes: Vec<Outcome>,
    /// When the service wants a batch even if nobody sends anything, because something falls due.
    pub wake_at: Option<UnixMillis>,
    /// The replicas that the service's state asks for; nothing if it leaves them as they are. They take over at a
    /// checkpoint about a window later (RE-1). To be asked for again with every batch until then, and after: it is part
    /// of the state, like `wake_at`. A set that cannot take over is ignored, so a service checks with
    /// [`ValidConfig::succeeded_by`](crate::ValidConfig::succeeded_by) first.
    pub replicas: Option<Arc<ReplicaSet>>,
    /// What of this batch is to be certified by signatures of `f + 1` replicas; nothing if there is nothing to show.
    pub result: Option<Digest>,
}

impl Executed {
    /// Outcomes of a service that waits for nothing and has nothing certified.
    #[must_use]
    pub const fn new(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes, wake_at: None, replicas: None, result: None }
    }
}

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It was carried out; its number is used up. (A failure by the service's own rules is carried out, too.)
    Applied(#[serde(with = "crate::wire::byte_string")] Vec<u8>),
    /// It left no trace at all: the client may use the number again, and whoever has the request may hand it in again. It is
    /// then judged anew, by the state of that time. What must stay refused is carried out, and fails.
    Refused(#[serde(with = "crate::wire::byte_string")] Vec<u8>),
}

impl Outcome {
    /// The service's answer.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Applied(bytes) | Self::Refused(bytes) => bytes,
        }
    }
}

/// A service cannot go back to a checkpoint, and this is why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the service's state at {seq} is lost: {why}")]
pub struct StateLost {
    /// The checkpoint.
    pub seq: Seq,
    /// In words for the operator.
    pub why: String,
}

/// A part is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("not a part of this checkpoint")]
pub struct WrongPart;

/// Something that the core wants to know of the service, or wants it to do, besides executing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum ServiceQuestion {
    /// See [`Service::keep_checkpoints`].
    Keep(Vec<Seq>),
    /// See [`Service::manifest`].
    Manifest(Seq),
    /// See [`Service::part`].
    Part(Seq, u32),
    /// See [`Service::begin_install`].
    Begin {
        /// Which checkpoint.
        seq: Seq,
        /// The certified name of its state.
        digest: Digest,
        /// What its parts are.
        manifest: Vec<u8>,
    },
    /// See [`Service::accept_part`].
    Accept {
        /// Which part.
        index: u32,
        /// The part.
        part: Vec<u8>,
    },
    /// See [`Service::complete_install`].
    Complete,
    /// See [`Service::restore`].
    Restore {
        /// Which checkpoint.
        seq: Seq,
        /// The state, if it is left to the log.
        snapshot: Option<Vec<u8>>,
    },
    /// See [`Service::query`]: several at once.
    Queries(Vec<Operation>),
}

/// What the service says to a [`ServiceQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceAnswer {
    /// It knows what to keep.
    Kept,
    /// A manifest or a part, if it is there.
    Part(Option<Vec<u8>>),
    /// An install has begun, and these parts are missing.
    Begun(Result<Vec<u32>, WrongPart>),
    /// A part was looked at.
    Accepted(Result<(), WrongPart>),
    /// The install, or the way back, is done.
    Done(Result<(), StateLost>),
    /// One for each question, in order.
    Results(Vec<Option<Vec<u8>>>),
}

impl ServiceQuestion {
    /// Has the service answer: all that a host does with [`Effect::Ask`](crate::Effect::Ask).
    pub fn put_to<S: Service + ?Sized>(self, service: &mut S) -> ServiceAnswer {
        match self {
            Self::Keep(needed) => {
                service.keep_checkpoints(&needed);
                ServiceAnswer::Kept
            }
            Self::Manifest(seq) => ServiceAnswer::Part(service.manifest(seq)),
            Self::Part(seq, index) => ServiceAnswer::Part(service.part(seq, index)),
            Self::Begin { seq, digest, manifest } => {
                ServiceAnswer::Begun(service.begin_install(seq, &digest, &manifest))
            }
            Self::Accept { index, part } => ServiceAnswer::Accepted(service.accept_part(index, &part)),
            Self::Complete => ServiceAnswer::Done(service.complete_install()),
            Self::Queries(queries) => {
                let answers = queries.iter().map(|query| service.query(query.as_bytes()));
                ServiceAnswer::Results(answers.collect())
            }
            Self::Restore { seq, snapshot } => ServiceAnswer::Done(service.restore(seq, snapshot.as_deref())),
        }
    }
}

/// A name for the service's state, and perhaps the state itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceCheckpoint {
    /// Equal on all replicas that executed the same batches.
    pub digest: Digest,
    /// The state, if it is small ([`MAX_SNAPSHOT_BYTES`](crate::config::MAX_SNAPSHOT_BYTES)) and the service does not
    /// keep it durable by itself: it goes into the log.
    pub snapshot: Option<Vec<u8>>,
}

const SNAPSHOT_DOMAIN: Domain = Domain::new("pbft/snapshot/v1");

impl ServiceCheckpoint {
    /// For a service whose whole state is `snapshot`.
    #[must_use]
    pub fn from_snapshot(snapshot: Vec<u8>) -> Self {
        Self { digest: pbft_crypto::digest(SNAPSHOT_DOMAIN, &snapshot), snapshot: Some(snapshot) }
    }

    /// For a service that keeps its state durable by itself.
    #[must_use]
    pub const fn durable(digest: Digest) -> Self {
        Self { digest, snapshot: None }
    }
}
