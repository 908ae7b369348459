//! What the routes work with.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ledger::{BasisPoints, Genesis, UnixMillis};
use pbft_crypto::Digest;
use tokio::sync::{Semaphore, watch};

use super::heavy::Lanes;
use super::model::NetworkReport;
use super::pictures::Darkroom;
use super::quota::Quota;
use super::rate_limit::{RateLimiter, Rates};
use crate::accounts_db::AccountsDb;
use crate::blobs::BlobStore;
use crate::gateway::Gateway;
use crate::market::Membership;
use crate::read_model::ReadModel;
use crate::service::LedgerQuery;
use crate::webhooks::Webhooks;

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
    /// How the chain begins.
    pub genesis: Arc<Genesis>,
    /// Who the replicas are.
    pub members: Membership,
    /// Members' own programs that are told what happens.
    pub webhooks: Webhooks,
    /// What the operator chose.
    pub options: HttpOptions,
    /// What requests share: counts of them, mostly.
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
    /// How many of them each client may have.
    pub max_streams_each: usize,
    /// How often it is looked whether who opened a stream is still signed in.
    pub recheck_streams: Duration,
    /// How many requests that weigh on the tables are worked on at once. Fewer than the tables have readers, so that others
    /// need not wait for them.
    pub max_heavy: usize,
    /// How many heavy requests of each client are worked on or wait.
    pub max_heavy_each: usize,
    /// How long a heavy request waits for its turn.
    pub heavy_patience: Duration,
    /// How many connections an address may have. Behind a proxy all come from one: then it is for the proxy to count.
    pub max_connections_each: usize,
    /// Whether webhooks may go to private addresses, and over plain HTTP.
    pub allow_private_webhooks: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            behind_tls: false,
            session_lasts: Duration::from_secs(14 * 24 * 3_600),
            rates: Rates::default(),
            max_streams: 1_000,
            max_streams_each: 50,
            recheck_streams: Duration::from_secs(10),
            max_heavy: 4,
            max_heavy_each: 3,
            heavy_patience: Duration::from_secs(2),
            max_connections_each: 256,
            allow_private_webhooks: false,
        }
    }
}

/// Knows the replicas.
pub trait NetworkStatus: Send + Sync {
    /// How they are now.
    fn network(&self) -> BoxFuture<'_, NetworkReport>;

    /// What a quorum of them says to a question about the ledger; nothing if none agrees in time.
    fn query(&self, query: LedgerQuery) -> BoxFuture<'_, Option<Vec<u8>>>;
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
    pub(crate) lanes: Lanes,
    pub(crate) darkroom: Darkroom,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) streams_of_each: Quota,
    /// Turns true when the server goes down.
    pub(crate) closing: watch::Sender<bool>,
}

impl Shared {
    /// For a server with these options, at its start.
    pub(crate) fn new(options: &HttpOptions) -> Arc<Self> {
        Arc::new(Self {
            limiter: RateLimiter::new(options.rates),
            lanes: Lanes::new(options),
            darkroom: Darkroom::default(),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            streams_of_each: Quota::new(options.max_streams_each),
            closing: watch::Sender::new(false),
        })
    }
}

impl AppState {
    /// Height and time of the last block that reads can see. Before the first one, zero.
    pub(crate) fn tip(&self) -> (ledger::Height, UnixMillis) {
        self.read.watermark().map_or_else(Default::default, |mark| (mark.height, mark.time))
    }

    /// What a next block would say that the time is: by the clock, but never before the last block.
    pub(crate) fn now(&self) -> UnixMillis {
        self.gateway.now().max(self.tip().1)
    }
}
