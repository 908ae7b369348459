//! What the replicas of a cluster must agree on, and the bounds that each keeps.

use core::time::Duration;

use pbft_crypto::{Digest, Domain, Hasher, PublicKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    ids::{Epoch, ReplicaId, Seq, View},
    quorum::QuorumSizes,
    replica::MAX_RESULTS_IN_RECORD,
    request_buffer::BufferLimits,
    wire::MAX_ENCODED_BYTES,
};

/// The members of a cluster, ascending by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSet {
    members: Vec<(ReplicaId, PublicKey)>,
}

const REPLICA_SET_DOMAIN: Domain = Domain::new("pbft/replica-set/v2");

impl ReplicaSet {
    /// The replicas with these keys, numbered from 0.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { members: (0..=u16::MAX).map(ReplicaId::new).zip(keys).collect() }
    }

    /// These replicas, whose ids need not follow each other.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = (ReplicaId, PublicKey)>) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        members.sort_unstable_by_key(|(id, _)| *id);
        Self { members }
    }

    /// The key of a replica, or nothing for one that is no member.
    #[must_use]
    pub fn key(&self, replica: ReplicaId) -> Option<&PublicKey> {
        self.members.get(self.rank(replica)?).map(|(_, key)| key)
    }

    /// Whether a replica is a member.
    #[must_use]
    pub fn contains(&self, replica: ReplicaId) -> bool {
        self.key(replica).is_some()
    }

    /// A member's place in the order of ids, from 0.
    #[must_use]
    pub fn rank(&self, replica: ReplicaId) -> Option<usize> {
        self.members.binary_search_by_key(&replica, |(id, _)| *id).ok()
    }

    /// The replica that owns `key`.
    #[must_use]
    pub fn replica_with(&self, key: &PublicKey) -> Option<ReplicaId> {
        self.members.iter().find(|(_, own)| own == key).map(|(id, _)| *id)
    }

    /// How many replicas there are. A set larger than ids can name counts as full.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.members.len()).unwrap_or(u16::MAX)
    }

    /// All ids in order.
    pub fn ids(&self) -> impl Iterator<Item = ReplicaId> + Clone + use<> {
        let ids: Vec<_> = self.members.iter().map(|(id, _)| *id).collect();
        ids.into_iter()
    }

    /// The members and their keys, ascending by id.
    #[must_use]
    pub fn members(&self) -> &[(ReplicaId, PublicKey)] {
        &self.members
    }

    /// The quorum sizes of this set.
    #[must_use]
    pub fn sizes(&self) -> QuorumSizes {
        QuorumSizes::of(self.count())
    }

    /// The primary of `view`: member `view mod n`, in the order of ids.
    #[must_use]
    pub fn primary(&self, view: View) -> ReplicaId {
        let index = view.value().checked_rem(u64::from(self.count())).unwrap_or(0);
        let member = usize::try_from(index).ok().and_then(|index| self.members.get(index));
        member.map_or(ReplicaId::new(0), |(id, _)| *id)
    }

    /// The set's name: its members in order.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Hasher::new(REPLICA_SET_DOMAIN);
        for (id, key) in &self.members {
            hasher.update(&id.value().to_le_bytes());
            hasher.update(key.as_bytes());
        }
        hasher.finish()
    }

    /// Whether the set may take over from another: it tolerates a fault if that one did, so that no step by step removal
    /// ends in a cluster that a single replica can stop.
    #[must_use]
    pub fn may_follow(&self, other: &Self) -> bool {
        self.sizes().f() >= other.sizes().f().min(1)
    }
}

/// The configuration as it is written down. [`Config::validate`] makes it usable.
///
/// Fields marked *agreed* must be the same on every replica; the others are local choices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Agreed. Names the cluster, so that no vote of one can be used in another.
    pub cluster: Digest,
    /// Agreed. The members.
    pub replicas: ReplicaSet,
    /// Agreed. A checkpoint is made after every so many batches.
    pub checkpoint_period: u64,
    /// Agreed. High water mark minus low water mark; at least two checkpoint periods.
    pub window: u64,
    /// Agreed. Batches whose operations are larger are refused.
    pub max_batch_bytes: usize,
    /// Agreed. Batches with more requests are refused.
    pub max_batch_requests: usize,
    /// Agreed. Requests whose operation is larger are refused.
    pub max_operation_bytes: usize,
    /// Agreed. How many clients there may be. A client's window is never forgotten, as its numbers could be used again;
    /// further clients are declined.
    pub max_clients: usize,
    /// Agreed. Memory for replies that a client may ask for again; the oldest is forgotten first.
    pub reply_cache_bytes: usize,
    /// Agreed. A batch's time may lie this far ahead of a backup's clock.
    pub max_clock_ahead: Duration,
    /// Agreed. A new batch's time may lie this far behind a backup's clock.
    pub max_clock_behind: Duration,
    /// Agreed. How many proposals the primary keeps in flight at most; at most half a window. Backups judge by it whether it
    /// is fair.
    pub max_in_flight: u64,
    /// Below this many in flight the primary proposes whatever waits; above it only full batches.
    pub eager_in_flight: u64,
    /// Memory for executed batches kept for peers that lag.
    pub archive_bytes: usize,
    /// What the default request buffer holds at most.
    pub buffer: BufferLimits,
    /// How often a replica with unfinished work tells the others what it lacks.
    pub status_period: Duration,
    /// How often it does so when idle.
    pub idle_status_period: Duration,
    /// How long a backup waits for a request to execute before it forwards it to the primary (again).
    pub forward_after: Duration,
    /// How long a backup waits for work to get done, or for a new view to begin, before it asks for the next view.
    pub request_timeout: Duration,
    /// That timeout doubles with each view change that brings nothing, up to this.
    pub max_timeout: Duration,
    /// Agreed. After every so many stable checkpoints the next replica becomes primary; 0 for never.
    pub rotation_period: u64,
}

impl Config {
    /// The usual choices for a cluster with these members.
    #[must_use]
    pub fn new(cluster: Digest, replicas: ReplicaSet) -> Self {
        Self {
            cluster,
            replicas,
            checkpoint_period: 128,
            window: 512,
            max_batch_bytes: 1 << 20,
            max_batch_requests: 2048,
            max_operation_bytes: 64 << 10,
            max_clients: 80_000,
            reply_cache_bytes: 2 << 20,
            max_clock_ahead: Duration::from_secs(2),
            max_clock_behind: Duration::from_secs(30),
            max_in_flight: 16,
            eager_in_flight: 2,
            archive_bytes: 64 << 20,
            buffer: BufferLimits::default(),
            status_period: Duration::from_millis(200),
            idle_status_period: Duration::from_secs(1),
            forward_after: Duration::from_millis(500),
            request_timeout: Duration::from_secs(2),
            max_timeout: Duration::from_secs(30),
            rotation_period: 0,
        }
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn validate(self) -> Result<ValidConfig, ConfigError> {
        let sizes = self.replicas.sizes();
        let members = self.replicas.members();
        let count = members.len();
        let mut keys: Vec<_> = members.iter().map(|(_, key)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        let ascending = members.is_sorted_by(|(left, _), (right, _)| left < right);
        let rules = [
            (count > 0 && count <= MAX_REPLICAS, ConfigError::ReplicaCount { count }),
            (keys.len() == count, ConfigError::SharedKey),
            (ascending, ConfigError::SharedId),
            (self.checkpoint_period > 0, ConfigError::NoCheckpoints),
            (self.window / 2 >= self.checkpoint_period, ConfigError::WindowTooSmall),
            (self.window <= MAX_WINDOW, ConfigError::WindowTooLarge),
            (
                self.max_in_flight > 0 && self.max_in_flight <= self.window / 2,
                ConfigError::TooManyInFlight { allowed: self.window / 2 },
            ),
            (self.eager_in_flight > 0, ConfigError::NeverEager),
            (self.max_batch_requests > 0, ConfigError::EmptyBatches),
            (
                self.max_operation_bytes > 0 && self.max_operation_bytes <= self.max_batch_bytes,
                ConfigError::OperationLargerThanBatch,
            ),
            (self.max_batch_bytes <= MAX_BATCH_BYTES, ConfigError::BatchTooLarge),
            (
                self.largest_window() <= MAX_WINDOW_BYTES,
                ConfigError::WindowTooHeavy { bytes: self.largest_window() },
            ),
            (self.max_clients > 0, ConfigError::NoClients),
            (
                self.largest_message() <= MAX_ENCODED_BYTES,
                ConfigError::TooLargeToEncode { what: "a full batch", bytes: self.largest_message() },
            ),
            (
                self.largest_checkpoint() <= MAX_ENCODED_BYTES,
                ConfigError::TooLargeToEncode { what: "a checkpoint", bytes: self.largest_checkpoint() },
            ),
            (!self.status_period.is_zero() && !self.idle_status_period.is_zero(), ConfigError::NoStatus),
            (
                !self.request_timeout.is_zero() && self.max_timeout >= self.request_timeout,
                ConfigError::NoPatience,
            ),
            (
                self.largest_new_view() <= MAX_ENCODED_BYTES,
                ConfigError::TooLargeToEncode { what: "a new view", bytes: self.largest_new_view() },
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, error)) => Err(error),
            None => Ok(ValidConfig {
                sizes,
                epoch: Epoch::ZERO,
                after: Seq::ZERO,
                domain: self.cluster,
                config: self,
            }),
        }
    }
}

/// Client, number and lengths of a request, encoded.
const REQUEST_BYTES: usize = 64;
/// One client's window, encoded.
const WINDOW_BYTES: usize = 96;
/// View, number and digest of an assignment, encoded.
const FACT_BYTES: usize = 56;
/// A signature with its signer, encoded.
const SIGNATURE_BYTES: usize = 72;
/// The result of a batch, encoded.
const RESULT_BYTES: usize = 48;
/// Headers and certificates.
const HEADER_BYTES: usize = 64 << 10;
/// A service that leaves its state to the log may have no more than this; with more the replica stops at a checkpoint.
pub const MAX_SNAPSHOT_BYTES: usize = 1 << 20;

impl Config {
    fn largest_window(&self) -> usize {
        usize::try_from(self.window).unwrap_or(usize::MAX).saturating_mul(self.max_batch_bytes)
    }

    const fn largest_message(&self) -> usize {
        let requests = self.max_batch_requests.saturating_mul(REQUEST_BYTES);
        self.max_batch_bytes.saturating_add(requests).saturating_add(HEADER_BYTES)
    }

    /// The facts of all, and one proof and one assignment for each number.
    fn largest_new_view(&self) -> usize {
        let n = self.replicas.members.len();
        let facts = n.saturating_mul(FACT_BYTES);
        let proof = n.saturating_mul(SIGNATURE_BYTES).saturating_add(2 * (FACT_BYTES + SIGNATURE_BYTES));
        let window = usize::try_from(self.window).unwrap_or(usize::MAX);
        window.saturating_mul(facts.saturating_add(proof)).saturating_add(HEADER_BYTES)
    }

    const fn largest_checkpoint(&self) -> usize {
        let windows = self.max_clients.saturating_mul(WINDOW_BYTES);
        let table = windows.saturating_add(self.reply_cache_bytes);
        table
            .saturating_add(MAX_SNAPSHOT_BYTES)
            .saturating_add(MAX_RESULTS_IN_RECORD.saturating_mul(RESULT_BYTES))
            .saturating_add(HEADER_BYTES)
    }
}

/// More replicas than this are refused: message costs grow with the square.
pub const MAX_REPLICAS: usize = 256;
/// A larger window than this is refused: it bounds a replica's memory.
pub const MAX_WINDOW: u64 = 1 << 14;
/// Larger batches than this are refused: they must fit a frame of the transport.
pub const MAX_BATCH_BYTES: usize = 8 << 20;

/// A window whose batches could take more memory than this is refused. It counts one batch for each number. A number of
/// which several batches were proposed, one in each view, keeps a few of them (`log/slot.rs`), so faulty primaries can have
/// it be as many times as much.
pub const MAX_WINDOW_BYTES: usize = 1 << 30;

/// A configuration whose parts fit together, for one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValidConfig {
    config: Config,
    sizes: QuorumSizes,
    epoch: Epoch,
    after: Seq,
    domain: Digest,
}

const EPOCH_DOMAIN: Domain = Domain::new("pbft/epoch/v1");

impl ValidConfig {
    /// The quorum sizes.
    #[must_use]
    pub const fn sizes(&self) -> QuorumSizes {
        self.sizes
    }

    /// How often the replica set had changed before.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// These replicas decide on the numbers past this one.
    #[must_use]
    pub const fn after(&self) -> Seq {
        self.after
    }

    /// What every signature is bound to: the cluster, and past epoch 0 the epoch with its replicas and its beginning.
    #[must_use]
    pub const fn domain(&self) -> &Digest {
        &self.domain
    }

    /// RE-2: the same for the replicas of the next epoch, which decide on the numbers past `after`.
    ///
    /// # Errors
    /// If these replicas cannot take over.
    pub fn succeeded_by(&self, replicas: ReplicaSet, after: Seq) -> Result<Self, ConfigError> {
        if !replicas.may_follow(&self.replicas) {
            return Err(ConfigError::TooFewLeft { count: replicas.members.len() });
        }
        let next = Config { replicas, ..self.config.clone() }.validate()?;
        let epoch = self.epoch.next();
        let mut hasher = Hasher::new(EPOCH_DOMAIN);
        hasher.update(self.config.cluster.as_bytes());
        hasher.update_u64(epoch.value());
        hasher.update_u64(after.value());
        hasher.update(next.replicas.digest().as_bytes());
        Ok(Self { epoch, after, domain: hasher.finish(), ..next })
    }
}

impl core::ops::Deref for ValidConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No replicas, or too many.
    #[error("{count} replicas: a cluster has 1 to {MAX_REPLICAS}")]
    ReplicaCount {
        /// How many there were.
        count: usize,
    },
    /// One key would vote twice.
    #[error("two replicas have the same key")]
    SharedKey,
    /// One name would stand for two.
    #[error("two replicas have the same id")]
    SharedId,
    /// After this change a single fault would stop the cluster, and it would not have before.
    #[error("{count} replicas: fewer than 4 tolerate no fault, and those before them did")]
    TooFewLeft {
        /// How many there would be.
        count: usize,
    },
    /// The log would never be truncated.
    #[error("checkpoint_period is 0: the log would grow for ever")]
    NoCheckpoints,
    /// The cluster would stop at each checkpoint.
    #[error("window is smaller than two checkpoint periods: the cluster would stop at each checkpoint")]
    WindowTooSmall,
    /// Memory would not be bounded.
    #[error("window is larger than {MAX_WINDOW}")]
    WindowTooLarge,
    /// The primary could run past the backups' windows.
    #[error("max_in_flight must be 1 to {allowed} (half the window)")]
    TooManyInFlight {
        /// The most that the window allows.
        allowed: u64,
    },
    /// Nothing would be proposed before a batch is full.
    #[error("eager_in_flight is 0: a lone request would wait for ever")]
    NeverEager,
    /// Nothing could be ordered.
    #[error("max_batch_requests is 0: nothing could be ordered")]
    EmptyBatches,
    /// Full batches in the whole window would take too much memory.
    #[error(
        "window x max_batch_bytes is {bytes} bytes, more than {MAX_WINDOW_BYTES}: a faulty primary could fill it"
    )]
    WindowTooHeavy {
        /// How many bytes.
        bytes: usize,
    },
    /// An admitted operation would fit no batch.
    #[error("max_operation_bytes must be at least 1 and at most max_batch_bytes")]
    OperationLargerThanBatch,
    /// A batch would fit no frame.
    #[error("max_batch_bytes is larger than {MAX_BATCH_BYTES}")]
    BatchTooLarge,
    /// Something that the other values allow would fit no message or record.
    #[error("{what} may have {bytes} bytes, more than the {MAX_ENCODED_BYTES} of any message or record")]
    TooLargeToEncode {
        /// What.
        what: &'static str,
        /// How many bytes at most.
        bytes: usize,
    },
    /// Nobody could be served.
    #[error("max_clients is 0: nobody could be served")]
    NoClients,
    /// Every primary would be given up at once.
    #[error("request_timeout is 0, or larger than max_timeout")]
    NoPatience,
    /// Lost messages would never be sent again.
    #[error("a status period is 0")]
    NoStatus,
}
