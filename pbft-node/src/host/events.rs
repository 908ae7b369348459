//! What the threads tell each other.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use pbft_core::{
    Input, Seq,
    certificate::Certificate,
    evidence::Evidence,
    message::Attestation,
    service::{Executed, OrderedBatch, ServiceAnswer, ServiceCheckpoint, ServiceQuestion, StateLost},
    storage::{Durable, LogPosition, Record},
};
use pbft_crypto::Digest;
use thiserror::Error;

use crate::transport::Quota;

/// So many verified inputs may wait for the replica; past that verification waits, and with it the network.
const MAX_WAITING_INPUTS: usize = 8_192;

/// Why a node had to stop by itself. Nothing is lost: its log is as durable as it said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The log cannot be written.
    #[error("the durable log failed: {0}")]
    Log(String),
    /// The service cannot go back to where the log starts.
    #[error(transparent)]
    Service(#[from] StateLost),
    /// The service cannot do its work any more.
    #[error("the service failed: {0}")]
    Execution(String),
    /// The service panicked on a batch. It will on every replica, and again after a restart, until it is mended.
    #[error(
        "the service panicked on batch {seq} (requests {requests}): {why}; it will again after a restart: see \
         \"A batch that stops every replica\" in docs/OPERATIONS.md"
    )]
    PoisonBatch {
        /// Which.
        seq: Seq,
        /// The requests in it that were to be executed.
        requests: String,
        /// What the panic said.
        why: String,
    },
    /// The service, at something else, or a thread of this crate, panicked.
    #[error("the {0} thread panicked")]
    Panicked(&'static str),
    /// The service left more state to the log than fits.
    #[error(
        "the checkpoint at {seq} takes {bytes} bytes, more than {limit}: the service must keep its own state"
    )]
    CheckpointTooLarge {
        /// Where.
        seq: Seq,
        /// What it takes.
        bytes: usize,
        /// What it may take.
        limit: usize,
    },
    /// Another state, or another result of a batch, is certified.
    #[error("at {seq} this replica has {own}, but {certified} is certified: rebuild this replica")]
    Diverged {
        /// Where.
        seq: Seq,
        /// What this replica has.
        own: Digest,
        /// What is certified.
        certified: Digest,
    },
}

/// From the node's own threads to the replica: never held back, else they would wait for each other in a ring.
#[derive(Debug)]
pub(crate) enum Internal {
    Start,
    Durable(Durable),
    Executed { executed: Executed, checkpoint: Option<ServiceCheckpoint> },
    Answered(ServiceAnswer),
    Failed(Failure),
    Stop,
}

/// From outside to the replica.
#[derive(Debug)]
pub(crate) struct External {
    pub(crate) input: Input,
    /// Its sender's share of memory, taken until the replica has seen the input; nobody's, if the host has brought it.
    pub(crate) _quota: Option<Arc<Quota>>,
}

/// To the log.
#[derive(Debug)]
pub(crate) enum ToLog {
    Append(LogPosition, Record),
    Truncate(LogPosition),
}

/// To the service.
#[derive(Debug)]
pub(crate) enum ToService {
    /// Answered by [`Internal::Executed`].
    Execute {
        batch: OrderedBatch,
        checkpoint: bool,
    },
    Certified(Certificate<Attestation>),
    Evidence(Evidence),
    /// Answered by [`Internal::Answered`].
    Ask(ServiceQuestion),
}

/// All channels between the threads of one node.
pub(crate) struct Channels {
    pub(crate) internal: (Sender<Internal>, Receiver<Internal>),
    /// Bounded: what comes from outside waits here.
    pub(crate) inputs: (Sender<External>, Receiver<External>),
    /// Unbounded, but the protocol's window bounds what can be in it.
    pub(crate) to_log: (Sender<ToLog>, Receiver<ToLog>),
    /// As above: one batch and one question at a time, and the certificates of those in the window.
    pub(crate) to_service: (Sender<ToService>, Receiver<ToService>),
}

impl Channels {
    pub(crate) fn new() -> Self {
        Self {
            internal: unbounded(),
            inputs: bounded(MAX_WAITING_INPUTS),
            to_log: unbounded(),
            to_service: unbounded(),
        }
    }
}
