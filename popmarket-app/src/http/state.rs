//! What the routes work with.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ledger::{BasisPoints, UnixMillis};
use pbft_crypto::Digest;
use tokio::sync::{Semaphore, watch};

use super::model::NetworkReport;
use super::pictures::Darkroom;
use super::rate_limit::{RateLimiter, Rates};
use crate::accounts_db::AccountsDb;
use crate::blobs::BlobStore;
use crate::gateway::Gateway;
use crate::read_model::ReadModel;

/// What the routes work with. Clones share it.
#[derive(Clone)]
pub struct AppState {
    /// Makes things happen.
    pub gateway: Gateway,
    /// What the blocks say.
    pub read: ReadModel,
    /// Who may sign in.
    pub accounts: AccountsDb,
    /// Photos.
    pub blobs: BlobStore,
    /// What is known about the replicas.
    pub network: Arc<dyn NetworkStatus>,
    /// What is measured.
    pub metrics: Arc<dyn MetricsText>,
    /// The chain that all this is about.
    pub chain: ChainInfo,
    /// What the operator chose.
    pub options: HttpOptions,
    pub(crate) shared: Arc<Shared>,
}

/// What never changes about a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// What names it in every transaction.
    pub id: Digest,
    /// The share of each sale that is kept.
    pub fee: BasisPoints,
}

/// What the operator chooses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HttpOptions {
    /// Whether browsers come over TLS, through a proxy in front of this server: cookies are for TLS only then.
    pub behind_tls: bool,
    /// How long a session lasts.
    pub session_lasts: Duration,
    /// How much each client may ask for.
    pub rates: Rates,
    /// How many event streams there may be at once.
    pub max_streams: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            behind_tls: false,
            session_lasts: Duration::from_secs(14 * 24 * 3_600),
            rates: Rates::default(),
            max_streams: 1_000,
        }
    }
}

/// Knows the replicas.
pub trait NetworkStatus: Send + Sync {
    /// How they are now.
    fn network(&self) -> BoxFuture<'_, NetworkReport>;
}

/// Knows what is measured.
pub trait MetricsText: Send + Sync {
    /// In the text format of OpenMetrics.
    fn metrics(&self) -> String;
}

impl<F: Fn() -> String + Send + Sync> MetricsText for F {
    fn metrics(&self) -> String {
        self()
    }
}

pub(crate) struct Shared {
    pub(crate) limiter: RateLimiter,
    pub(crate) darkroom: Darkroom,
    pub(crate) streams: Arc<Semaphore>,
    /// Turns true when the server goes down.
    pub(crate) closing: watch::Sender<bool>,
}

/// The parts that an [`AppState`] is made of.
pub struct Parts {
    /// Makes things happen.
    pub gateway: Gateway,
    /// What the blocks say.
    pub read: ReadModel,
    /// Who may sign in.
    pub accounts: AccountsDb,
    /// Photos.
    pub blobs: BlobStore,
    /// What is known about the replicas.
    pub network: Arc<dyn NetworkStatus>,
    /// What is measured.
    pub metrics: Arc<dyn MetricsText>,
    /// The chain that all this is about.
    pub chain: ChainInfo,
    /// What the operator chose.
    pub options: HttpOptions,
}

impl AppState {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { gateway, read, accounts, blobs, network, metrics, chain, options } = parts;
        let shared = Shared {
            limiter: RateLimiter::new(options.rates),
            darkroom: Darkroom::default(),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            closing: watch::Sender::new(false),
        };
        Self { gateway, read, accounts, blobs, network, metrics, chain, options, shared: Arc::new(shared) }
    }

    /// Height and time of the last block that reads can see. Before the first one, zero.
    pub(crate) fn tip(&self) -> (ledger::Height, UnixMillis) {
        self.read.watermark().map_or_else(Default::default, |mark| (mark.height, mark.time))
    }
}
